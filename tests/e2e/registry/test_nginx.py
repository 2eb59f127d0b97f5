"""What passes through nginx unchanged, and what it says when there is nobody to ask."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.db import connection

from deploy.local import images
from deploy.local.nginx import DEPLOYED, NginxPorts, start_nginx
from deploy.local.process import free_port
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.e2e.registry.conftest import (
    SERVICE,
    Pushed,
    Registry,
    bearer,
    path_of,
)
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.certificates import Authority
from tests.support.servers.forwarder import forwarder

SIZE = 24 * 2**20


def test_the_base_asks_for_any_good_token(
    registry: Registry, vendor: Vendor, owner_login: tuple[str, str]
) -> None:
    first = registry.client.request("GET", "/v2/")
    second = registry.client.request("GET", "/v2/", bearer(registry.token(owner_login)))

    assert first.status == 401
    assert first.headers.getlist("WWW-Authenticate") == [
        f'Bearer realm="http://{registry.host}/v2/token",service="{SERVICE}"'
    ]
    assert second.status == 200
    for answer in (first, second):
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_a_layer_in_http_chunks_passes_unbuffered(
    registry: Registry, vendor: Vendor, owner_login: tuple[str, str]
) -> None:
    repository = f"{vendor.application.slug}/large"
    token = registry.token(owner_login, f"repository:{repository}:pull,push")
    begun = registry.client.request(
        "POST", f"/v2/{repository}/blobs/uploads/", bearer(token)
    )
    hasher = hashlib.sha256()

    def blocks() -> Iterator[bytes]:
        for block in images.pattern_blocks(SIZE):
            hasher.update(block)
            yield block

    # A body of unknown length, so Transfer-Encoding: chunked.
    sent = registry.client.http.request(
        "PATCH",
        f"http://{registry.host}{path_of(begun)}",
        headers=bearer(token),
        body=blocks(),
    )
    digest = f"sha256:{hasher.hexdigest()}"
    put = registry.client.request(
        "PUT",
        f"/v2/{sent.headers['Location'].partition('/v2/')[2]}&digest={digest}",
        bearer(token),
    )

    assert (sent.status, put.status) == (202, 201)
    read = registry.client.request(
        "GET", f"/v2/{repository}/blobs/{digest}", bearer(token)
    )
    assert hashlib.sha256(read.body).hexdigest() == hasher.hexdigest()
    temporary = registry.client.log.parent
    for name in ("client_body", "proxy"):
        assert not [item for item in (temporary / name).rglob("*") if item.is_file()]


def test_addresses_are_those_of_the_host_that_was_asked(
    registry: Registry,
    vendor: Vendor,
    owner_login: tuple[str, str],
) -> None:
    repository = f"{vendor.application.slug}/worker"
    token = registry.token(owner_login, f"repository:{repository}:pull,push")
    path = f"/v2/{repository}/blobs/uploads/"
    forged = {
        "Forwarded": "host=attacker.example;proto=ftp",
        "X-Forwarded-Host": "attacker.example",
        "X-Forwarded-Proto": "ftp",
    }

    plain = registry.client.request("POST", path, bearer(token) | forged)
    secure = registry.tls.request(
        "POST", registry.https + path, headers=bearer(token) | forged
    )
    challenge = registry.tls.request("GET", f"{registry.https}/v2/", headers=forged)

    for base, answer in ((f"http://{registry.host}", plain), (registry.https, secure)):
        location = urljoin(base + path, str(answer.headers["Location"]))
        assert location.startswith(base + path)
    realm = f'realm="{registry.https}/v2/token"'
    assert realm in challenge.headers["WWW-Authenticate"]


def test_a_refusal_has_our_body_and_one_challenge(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    token = registry.token(None, f"repository:{pushed.repository}:pull")

    answers = [
        registry.client.request(method, pushed.manifest_path, bearer(token), body)
        for method, body in (("GET", None), ("HEAD", None), ("PUT", b"x" * 100_000))
    ]

    for answer in answers:
        assert answer.status == 401
        (challenge,) = answer.headers.getlist("WWW-Authenticate")
        assert challenge.startswith("Bearer realm=")
        assert f'scope="repository:{pushed.repository}:pull' in challenge
        assert 'error="No known login came with this request.' in challenge
    assert answers[0].error[0] == answers[2].error[0] == "DENIED"
    assert answers[1].body == b""


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/a/b/manifests/.bad", 404, "MANIFEST_UNKNOWN"),
        ("PUT", "/v2/a/b/manifests/.bad", 400, "TAG_INVALID"),
        ("DELETE", "/v2/a/b/manifests/.bad", 400, "TAG_INVALID"),
        ("GET", "/v2/A/b/manifests/v1", 400, "NAME_INVALID"),
        ("GET", "/v2/a/b/blobs/sha256:12", 404, "BLOB_UNKNOWN"),
        ("DELETE", "/v2/a/b/blobs/sha256:12", 400, "DIGEST_INVALID"),
        ("GET", "/v2/a/b/referrers/sha256:12", 400, "DIGEST_INVALID"),
        ("GET", "/v2/a/b/else", 404, "NAME_UNKNOWN"),
        ("OPTIONS", "/v2/a/b/manifests/v1", 405, "UNSUPPORTED"),
    ],
)
def test_what_no_registry_serves_is_not_passed_on(
    registry: Registry, pushed: Pushed, method: str, path: str, status: int, code: str
) -> None:
    answer = registry.client.request(method, path)

    assert (answer.status, answer.error[0]) == (status, code)


def test_a_head_of_what_cannot_exist_is_not_found(registry: Registry) -> None:
    """Past ``auth_request``, which knows only 401 and 403."""
    answers = [
        registry.client.request("HEAD", f"/v2/a/b/{rest}")
        for rest in ("manifests/.INVALID_MANIFEST_NAME", "blobs/sha256:12")
    ]

    assert [item.status for item in answers] == [404, 404]


@contextmanager
def another_nginx(
    registry: Registry, edge_port: int, directory: Path, ready_path: str
) -> Iterator[EdgeClient]:
    """The same registry behind another nginx, which asks another edge."""
    certificate = Authority(directory).issue("localhost")
    own = directory / "nginx"
    own.mkdir()
    front = NginxPorts(
        **{name: free_port() for name in ("portal", "proxy", "registry")},
        registry_tls=free_port(),
        behind_portal=free_port(),
        behind_edge=edge_port,
        behind_registry=int(registry.direct.host.partition(":")[2]),
    )
    with start_nginx(own, front, certificate, ready_path) as nginx:
        yield EdgeClient(f"localhost:{front.registry}", nginx, nginx.log)


def test_without_an_edge_nothing_is_allowed(
    registry: Registry, vendor: Vendor, pushed: Pushed, tmp_path: Path
) -> None:
    login = ("any", vendor.license().license_id.reveal())
    token = registry.token(login, f"repository:{pushed.repository}:pull")

    with another_nginx(registry, free_port(), tmp_path, "/") as client:
        answers = [
            client.request("GET", path, bearer(token))
            for path in ("/v2/", pushed.manifest_path, pushed.layer_path)
        ]

    for answer in answers:
        assert answer.status == 503
        assert answer.error[0] == "UNAVAILABLE"
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.expected_traceback(
    "OperationalError: (couldn't get a connection|PostgreSQL did not answer)"
)
def test_without_its_database_nothing_is_allowed(
    registry: Registry, ports: Ports, vendor: Vendor, pushed: Pushed, tmp_path: Path
) -> None:
    login = ("any", vendor.license().license_id.reveal())
    token = registry.token(login, f"repository:{pushed.repository}:pull")
    database = connection.settings_dict
    port = free_port()
    with forwarder(database["HOST"], int(database["PORT"])) as line:
        environment = edge_environment(ports)
        environment["DATABASE_URL"] = environment["DATABASE_URL"].replace(
            f":{database['PORT']}/", f":{line.port}/"
        )
        with (
            start_edge(environment, port, tmp_path / "edge.log", "other edge"),
            another_nginx(registry, port, tmp_path, "/v2/") as client,
        ):
            allowed = client.request("GET", pushed.layer_path, bearer(token))
            line.cut()
            # Until the answer from before has run out.
            deadline = time.monotonic() + 1
            while (
                refused := client.request("GET", pushed.layer_path, bearer(token))
            ).status == 200:
                assert time.monotonic() < deadline

    assert allowed.status == 200
    assert (refused.status, refused.error[0]) == (503, "UNAVAILABLE")
    assert refused.error[1].startswith("The registry cannot be reached, or licenses")
    assert refused.headers["Retry-After"] == "5"


def test_the_proxys_name_serves_the_proxy_alone(
    registry: Registry, pushed: Pushed
) -> None:
    proxy = EdgeClient(
        registry.proxy_host, registry.client.process, registry.client.log
    )

    base = proxy.request("GET", "/v2/")
    others = [
        proxy.request(
            "GET", path, {"X-Original-Method": "GET", "X-Original-URI": "/v2/"}
        )
        for path in ("/", "/v2/_authorize", "/v2/_refusal", pushed.manifest_path)
    ]

    assert base.status == 401
    assert base.headers["WWW-Authenticate"] == (
        f'Bearer realm="http://{registry.proxy_host}/v2/token",service="berth-proxy"'
    )
    assert {item.status for item in others} == {404}


def test_what_operators_do_not_change_names_no_address() -> None:
    for path in (DEPLOYED / "berth.conf", *(DEPLOYED / "berth").iterdir()):
        if path.name == "upstreams.conf" or path.name.endswith("-host.conf"):
            continue
        lines = path.read_text().splitlines()
        settings = [line for line in lines if not line.strip().startswith("#")]
        assert "example.com" not in "\n".join(settings)
        assert "127.0.0.1" not in "\n".join(settings)
