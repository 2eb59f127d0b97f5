"""The nodes' credential provider, run by shells that nodes have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from installer.cluster.nodes import PROVIDER, script

SCRIPT = Path(__file__).parents[4] / "installer" / "cluster" / PROVIDER
SHELLCHECK = Path(sys.executable).parent / "shellcheck"
# A kubelet's of 1.37, shortened: header, claims and signature of a JWT.
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsiYmVydGgtcHJveHkiXX0.c2lnbmF0dXJl-_"
HOST = "proxy.example.com"
REQUEST = {
    "kind": "CredentialProviderRequest",
    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
    "image": f"{HOST}/proxy/my-app/quay.io/my-org/api",
    "serviceAccountToken": TOKEN,
}
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


def run(
    shell: list[str], request: str, *hosts: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, SCRIPT, *hosts],
        input=request,
        # Without PATH no other program can be started.
        env={"PATH": "/nonexistent"},
        executable=f"/bin/{shell[0]}",
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


def answered(shell: list[str], request: object, *hosts: str) -> Any:
    text = request if isinstance(request, str) else compact(request)
    ran = run(shell, text, *(hosts or (HOST,)))
    assert (ran.returncode, ran.stderr) == (0, "")
    answer = json.loads(ran.stdout)
    assert answer | {"auth": None} == {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": "0s",
        "auth": None,
    }
    return answer["auth"]


def compact(request: object) -> str:
    """Return JSON as kubelets write it."""
    return json.dumps(request, separators=(",", ":")) + "\n"


def login(host: str = HOST) -> dict[str, dict[str, str]]:
    return {host: {"username": "identity", "password": TOKEN}}


def test_the_token_is_the_password_of_the_proxy(shell: list[str]) -> None:
    assert answered(shell, REQUEST) == login()


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:5000", "registry.corp"])
def test_each_host_of_the_license_gets_it(host: str, shell: list[str]) -> None:
    request = REQUEST | {"image": f"{host}/my-app/api"}

    assert answered(shell, request, HOST, host) == login(host)


@pytest.mark.parametrize(
    "image",
    [
        "quay.io/my-org/api",
        "proxy.example.com.evil.example/proxy/my-app/a",
        "proxy.example.com:444/proxy/my-app/a",
        "evil.example/proxy.example.com/a",
        "nginx",
    ],
)
def test_no_other_host_gets_it(image: str, shell: list[str]) -> None:
    assert answered(shell, REQUEST | {"image": image}) == {}


def test_without_a_token_there_is_no_login(shell: list[str]) -> None:
    request = {key: value for key, value in REQUEST.items() if "Token" not in key}

    assert answered(shell, request) == {}
    assert answered(shell, REQUEST | {"serviceAccountToken": ""}) == {}


@pytest.mark.parametrize("indent", [None, 2])
def test_json_may_be_written_otherwise(indent: int | None, shell: list[str]) -> None:
    reordered = dict(reversed(REQUEST.items()))

    assert answered(shell, json.dumps(reordered, indent=indent)) == login()


ANNOTATIONS = [
    {"image": "evil.example/a", "serviceAccountToken": "evil"},
    {"a": f'","serviceAccountToken":"evil","image":"{HOST}/a"'},
    {"a": "\\"},
    {'\\"}': '"}, "serviceAccountToken": "evil", "x": {"'},
    {"a": "{[", "b": "]}}", "c": ':,"'},
]


@pytest.mark.parametrize("annotations", ANNOTATIONS)
def test_annotations_change_nothing(
    annotations: dict[str, str], shell: list[str]
) -> None:
    name = "serviceAccountAnnotations"

    assert answered(shell, REQUEST | {name: annotations}) == login()
    assert answered(shell, {name: annotations} | REQUEST) == login()
    # Another kubelet may send what this one does not know.
    more = {"extra": [1, {"image": "evil.example"}, [None, "image"]], "flag": True}
    assert answered(shell, more | {name: annotations} | REQUEST | {"n": 1}) == login()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "Pod"}, "The request is of another kind."),
        ({"apiVersion": "credentialprovider.kubelet.k8s.io/v2"}, "is not of"),
        ({"image": ""}, "The request names no image."),
        ({"image": None}, "The request names no image."),
        ({"image": f'{HOST}/a"b'}, "The request names no image."),
        ({"image": f"{HOST}/a b"}, "The request names no image."),
        ({"serviceAccountToken": 'a","x":"b'}, "no usable token"),
        ({"serviceAccountToken": "a\\b"}, "no usable token"),
        ({"serviceAccountToken": "a\nb"}, "no usable token"),
    ],
)
def test_what_is_no_request_is_refused(
    change: dict[str, Any], sentence: str, shell: list[str]
) -> None:
    ran = run(shell, compact(REQUEST | change), HOST)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"{PROVIDER}: ")
    assert sentence in ran.stderr
    assert TOKEN not in ran.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind', '{"kind":"Cred', "\\", '"'])
def test_what_is_no_json_is_refused(text: str, shell: list[str]) -> None:
    ran = run(shell, text, HOST)

    assert (ran.returncode, ran.stdout) == (1, "")


def test_a_long_token_takes_no_time(shell: list[str]) -> None:
    token = "a" * 16_000

    auth = answered(shell, REQUEST | {"serviceAccountToken": token})

    assert auth[HOST]["password"] == token


def test_shellcheck_finds_nothing() -> None:
    ran = subprocess.run(
        [SHELLCHECK, "--shell=sh", SCRIPT],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_wheel_has_the_script() -> None:
    assert script() == SCRIPT.read_bytes()
    assert script().startswith(b"#!/bin/sh\n")
