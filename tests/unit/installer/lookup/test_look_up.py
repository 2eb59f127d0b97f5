"""Only an image that was refused is called private."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from installer.lookup.look_up import look_up
from installer.lookup.verdicts import Status, Verdict
from installer.net.client import HttpClient
from installer.net.registry import Registry
from tests.support.installer.servers import (
    OK,
    breaking_server,
    closed_port,
    server,
)
from tests.support.servers.canned_server import Answer, Request, silent_server
from tests.support.servers.certificates import Authority

BEARER = {
    "WWW-Authenticate": (
        'Bearer realm="http://{host}/token",service="s",'
        'scope="repository:my-org/api:pull"'
    )
}
BASIC = {"WWW-Authenticate": 'Basic realm="r"'}
ANONYMOUS = Answer(200, {}, json.dumps({"token": "anonymous"}).encode())


def look(image: str, *hosts: str, seconds: float = 5, wait: float = 30) -> Verdict:
    return look_all([image], *hosts, seconds=seconds, wait=wait)[image]


def look_all(
    images: Iterable[str], *hosts: str, seconds: float = 5, wait: float = 30
) -> dict[str, Verdict]:
    client = HttpClient(
        plain_http=frozenset(hosts), read_seconds=seconds, connect_seconds=seconds
    )
    return look_up(images, Registry(client), max_wait=wait)


def token_server(token: Answer, with_token: Answer) -> object:
    """Return the behaviour of a registry whose token server returns ``token``."""

    def respond(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return token
        if request.headers.get("Authorization") == "Bearer anonymous":
            return with_token
        return Answer(401, BEARER)

    return respond


@pytest.mark.parametrize(
    ("answer", "status", "sentence"),
    [
        (OK, Status.PUBLIC, "serves it to everyone"),
        (Answer(401, BASIC), Status.PRIVATE, "the image is private"),
        (Answer(401), Status.PRIVATE, "the image is private"),
        (Answer(403), Status.PRIVATE, "the image is private"),
        (Answer(404), Status.MISSING, "my-org/api:v1 was not found"),
        (Answer(418), Status.BAD_RESPONSE, "unexpected status (418)"),
        (Answer(302), Status.BAD_RESPONSE, "unexpected status (302)"),
        (
            Answer(200, {"Content-Type": "text/html"}, b"<p>"),
            Status.BAD_RESPONSE,
            "other than a manifest",
        ),
    ],
)
def test_what_one_answer_means(answer: Answer, status: Status, sentence: str) -> None:
    with server(lambda _request: answer) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)

    assert verdict.status is status
    assert sentence in verdict.sentence
    assert registry.host in verdict.sentence


@pytest.mark.parametrize("code", [500, 502, 503, 504, 507])
def test_an_internal_error_does_not_make_an_image_private(code: int) -> None:
    with server(lambda _request: Answer(code)) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)

    assert verdict.status is Status.REGISTRY_ERROR
    assert f"({code})" in verdict.sentence


@pytest.mark.parametrize(
    ("token", "with_token", "status"),
    [
        (ANONYMOUS, OK, Status.PUBLIC),
        (ANONYMOUS, Answer(401, BEARER), Status.PRIVATE),
        (ANONYMOUS, Answer(403), Status.PRIVATE),
        (ANONYMOUS, Answer(404), Status.MISSING),
        (Answer(401), OK, Status.PRIVATE),
        (Answer(403), OK, Status.PRIVATE),
        (Answer(429, {"Retry-After": "999"}), OK, Status.RATE_LIMITED),
        (Answer(500), OK, Status.REGISTRY_ERROR),
        (Answer(404), OK, Status.BAD_RESPONSE),
        (Answer(200, {}, b"<html>"), OK, Status.BAD_RESPONSE),
        (Answer(200, {}, b"[]"), OK, Status.BAD_RESPONSE),
        (Answer(200, {}, b'{"token": "a\\nb"}'), OK, Status.BAD_RESPONSE),
        (Answer(200, {}, b'{"access_token": "anonymous"}'), OK, Status.PUBLIC),
    ],
)
def test_what_a_token_servers_response_means(
    token: Answer, with_token: Answer, status: Status
) -> None:
    with server(token_server(token, with_token)) as registry:  # type: ignore[arg-type]
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)

    assert verdict.status is status
    asked = [item for item in registry.requests if item.path.startswith("/token")]
    assert asked[0].path == "/token?service=s&scope=repository%3Amy-org%2Fapi%3Apull"
    assert "Authorization" not in asked[0].headers


def test_a_get_is_sent_only_where_head_is_unsupported() -> None:
    def respond(request: Request) -> Answer:
        return Answer(405) if request.method == "HEAD" else OK

    with server(respond) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)
    assert verdict.status is Status.PUBLIC
    path = "/v2/my-org/api/manifests/v1"
    assert registry.asked() == {("HEAD", path): 1, ("GET", path): 1}

    with server(lambda _request: OK) as registry:
        look(f"{registry.host}/my-org/api:v1", registry.host)
    assert registry.asked() == {("HEAD", path): 1}


def test_an_image_is_looked_up_once_whatever_its_spelling() -> None:
    with server(lambda _request: OK) as registry:
        image = f"{registry.host}/my-org/api"
        verdicts = look_all([image, f"{image}:latest", f"{image}:v1"], registry.host)

    assert {item.status for item in verdicts.values()} == {Status.PUBLIC}
    assert registry.asked() == {
        ("HEAD", "/v2/my-org/api/manifests/latest"): 1,
        ("HEAD", "/v2/my-org/api/manifests/v1"): 1,
    }


def test_the_digest_is_looked_up_rather_than_the_tag() -> None:
    digest = "sha256:" + "0" * 64
    with server(lambda _request: OK) as registry:
        look(f"{registry.host}/my-org/api:v1@{digest}", registry.host)

    assert registry.asked() == {("HEAD", f"/v2/my-org/api/manifests/{digest}"): 1}


def test_a_busy_host_is_retried_after_the_requested_pause() -> None:
    turns: list[float] = []

    def respond(_request: Request) -> Answer:
        turns.append(time.monotonic())
        return Answer(429, {"Retry-After": "1"}) if len(turns) == 1 else OK

    with server(respond) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)

    assert verdict.status is Status.PUBLIC
    assert len(turns) == 2
    assert turns[1] - turns[0] >= 1


def test_too_long_a_pause_ends_all_look_ups_on_that_host() -> None:
    with server(lambda _request: Answer(429, {"Retry-After": "3600"})) as registry:
        images = [f"{registry.host}/my-org/api:v{number}" for number in range(40)]
        started = time.monotonic()
        verdicts = look_all(images, registry.host)

    assert {item.status for item in verdicts.values()} == {Status.RATE_LIMITED}
    assert time.monotonic() - started < 10
    assert len(registry.requests) <= 4


def test_few_requests_at_a_time_go_to_one_host() -> None:
    def respond(_request: Request) -> Answer:
        time.sleep(0.02)
        return OK

    with server(respond) as registry:
        images = [f"{registry.host}/my-org/api:v{number}" for number in range(40)]
        verdicts = look_all(images, registry.host)

    assert {item.status for item in verdicts.values()} == {Status.PUBLIC}
    assert len(registry.requests) == 40
    assert registry.most_at_once <= 4


def test_a_slow_host_delays_no_other() -> None:
    with silent_server() as slow, server(lambda _request: OK) as quick:
        images = [f"{slow}/my-org/api:v{number}" for number in range(8)]
        started = time.monotonic()
        verdicts = look_all(
            [*images, f"{quick.host}/my-org/api:v1"], slow, quick.host, seconds=1
        )
        assert time.monotonic() - started < 20

    assert verdicts[f"{quick.host}/my-org/api:v1"].status is Status.PUBLIC
    assert {verdicts[image].status for image in images} == {Status.TIMED_OUT}


def test_an_unreachable_host() -> None:
    host = closed_port()

    verdict = look(f"{host}/my-org/api:v1", host)

    assert verdict == Verdict(Status.UNREACHABLE, f"{host} cannot be reached.")


def test_a_name_that_dns_cannot_resolve() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("registry.invalid", 443)

    verdict = look("registry.invalid/my-org/api:v1")

    assert verdict.status is Status.DNS
    assert "registry.invalid" in verdict.sentence


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-x\r\n"]
)
def test_a_connection_that_breaks(sent: bytes) -> None:
    with breaking_server(sent) as broken:
        verdict = look(f"{broken.host}/my-org/api:v1", broken.host)

    assert verdict.status in {Status.BAD_RESPONSE, Status.UNREACHABLE}
    assert broken.host in verdict.sentence


def test_a_host_without_tls_is_not_tried_for_every_image() -> None:
    with breaking_server(b"no TLS") as broken:
        images = [f"{broken.host}/my-org/api:v{number}" for number in range(40)]
        verdicts = look_all(images)

    assert {item.status for item in verdicts.values()} == {Status.TLS}
    assert broken.connections <= 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"self_signed": True}, "self-signed certificate"),
        ({"expired": True}, "certificate has expired"),
        ({"hosts": ("other.example",)}, "not valid for"),
    ],
)
def test_trouble_with_tls(
    tmp_path: Path, fault: dict[str, object], reason: str
) -> None:
    authority = Authority(tmp_path)
    hosts: tuple[str, ...] = fault.pop("hosts", ("127.0.0.1",))  # type: ignore[assignment]
    certificate = authority.issue(*hosts, **fault)  # type: ignore[arg-type]
    with server(lambda _request: OK, tls=certificate.server_context()) as registry:
        ca = tmp_path / "ca.pem"
        ca.write_text(authority.pem)
        client = HttpClient(ca_file=ca)
        image = f"{registry.host}/my-org/api:v1"
        verdict = look_up([image], Registry(client))[image]

    assert verdict.status is Status.TLS
    assert reason in verdict.sentence


def test_a_private_authority_is_trusted_if_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.issue("127.0.0.1").server_context()
    with server(lambda _request: OK, tls=context) as registry:
        ca = tmp_path / "ca.pem"
        ca.write_text(authority.pem)
        image = f"{registry.host}/my-org/api:v1"
        trusted = look_up([image], Registry(HttpClient(ca_file=ca)))[image]
        unknown = look_up([image], Registry(HttpClient()))[image]

    assert (trusted.status, unknown.status) == (Status.PUBLIC, Status.TLS)


def test_a_host_without_tls_is_not_asked_over_plain_http() -> None:
    with server(lambda _request: OK) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1")

    assert verdict.status is Status.TLS
    assert registry.requests == []


def test_a_redirect_is_followed_without_the_token() -> None:
    with server(lambda _request: OK) as storage:
        moved = Answer(307, {"Location": f"http://{storage.host}/elsewhere"})
        respond = token_server(ANONYMOUS, moved)
        with server(respond) as registry:  # type: ignore[arg-type]
            verdict = look(
                f"{registry.host}/my-org/api:v1", registry.host, storage.host
            )

    assert verdict.status is Status.PUBLIC
    (request,) = storage.requests
    assert request.path == "/elsewhere"
    assert "Authorization" not in request.headers


def test_redirects_without_end_and_out_of_tls() -> None:
    loop = Answer(302, {"Location": "/again"})
    with server(lambda _request: loop) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)
        assert verdict.status is Status.BAD_RESPONSE
        assert len(registry.requests) == 5

    away = Answer(302, {"Location": "http://example.com/"})
    with server(lambda _request: away) as registry:
        verdict = look(f"{registry.host}/my-org/api:v1", registry.host)
    assert verdict.status is Status.BAD_RESPONSE
    assert "without TLS" in verdict.sentence


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("quay.io", Status.PRIVATE_OR_MISSING),
        ("ghcr.io", Status.PRIVATE_OR_MISSING),
        ("gcr.io", Status.PRIVATE_OR_MISSING),
        ("eu.gcr.io", Status.PRIVATE_OR_MISSING),
        ("europe-docker.pkg.dev", Status.PRIVATE_OR_MISSING),
        ("registry.gitlab.com", Status.PRIVATE_OR_MISSING),
        ("my-org.azurecr.io", Status.PRIVATE_OR_MISSING),
        ("notquay.io", Status.PRIVATE),
        ("registry.example.com", Status.PRIVATE),
    ],
)
def test_a_refusal_that_may_mean_missing_is_reported_as_such(
    host: str, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(lambda _request: Answer(401, BASIC)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        monkeypatch.setenv("no_proxy", "")
        verdict = look(f"{host}/my-org/api:v1", host)

    assert verdict.status is status
    assert host in verdict.sentence
    assert ("does not exist" in verdict.sentence) is (
        status is Status.PRIVATE_OR_MISSING
    )


def test_unreadable_names_cost_no_request() -> None:
    verdicts = look_all(["{{ .Values.image }}", "Quay.io/Bad Name"])

    assert [item.status for item in verdicts.values()] == [
        Status.TEMPLATE,
        Status.UNREADABLE,
    ]
