"""Requests end in time, are retried only if that is safe, and leak no secret."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from installer.lookup.look_up import look_up
from installer.lookup.verdicts import Status, Verdict
from installer.net.client import HttpClient
from installer.net.registry import Registry
from tests.support.installer.command import Installer
from tests.support.installer.servers import (
    MANIFEST,
    OK,
    dripping_server,
    server,
)
from tests.support.servers.canned_server import Answer, Request, raw_server
from tests.support.servers.certificates import Authority

SECONDS = 1.0


def look(host: str, number: int = 1, *, seconds: float = SECONDS) -> list[Verdict]:
    client = HttpClient(
        plain_http=frozenset({host}), read_seconds=seconds, connect_seconds=seconds
    )
    images = [f"{host}/my-org/api:v{item}" for item in range(number)]
    return list(look_up(images, Registry(client)).values())


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Endless: ",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
)
def test_dripping_bytes_do_not_extend_the_timeout(sent: bytes) -> None:
    with dripping_server(sent) as registry:
        started = time.monotonic()
        (verdict,) = look(registry.host)
        took = time.monotonic() - started

    # A HEAD, then a GET if that was inconclusive.
    assert verdict == Verdict(
        Status.TIMED_OUT, f"{registry.host} did not respond in time."
    )
    assert took < 2 * SECONDS + 1


def test_a_dripping_portal_does_not_extend_the_timeout(
    installer: Installer, license: Path, vendor: Path, tmp_path: Path
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    with dripping_server(head) as portal:
        started = time.monotonic()
        outcome = installer(
            *("patch", vendor, "--license", license, "--out", tmp_path / "out"),
            *("--portal", f"http://{portal.host}", "--plain-http", portal.host),
            *("--timeout", "1"),
        )
        took = time.monotonic() - started

    assert outcome.code == 5
    assert "did not respond in time" in outcome.err
    assert took < 3


def test_a_dripping_token_does_not_extend_the_timeout() -> None:
    with dripping_server(b"HTTP/1.1 200 OK\r\n\r\n") as tokens:
        realm = f'Bearer realm="http://{tokens.host}/token",service="s"'
        with server(lambda _: Answer(401, {"WWW-Authenticate": realm})) as registry:
            hosts = frozenset({registry.host, tokens.host})
            client = HttpClient(plain_http=hosts, read_seconds=SECONDS)
            image = f"{registry.host}/my-org/api:v1"
            started = time.monotonic()
            verdict = look_up([image], Registry(client))[image]

    assert verdict.status is Status.TIMED_OUT
    assert time.monotonic() - started < 3


def test_a_dripping_tls_handshake_does_not_extend_the_timeout() -> None:
    # The header of a TLS record of maximum length.
    with dripping_server(b"\x16\x03\x03\x40\x00") as registry:
        client = HttpClient(read_seconds=SECONDS, connect_seconds=SECONDS)
        image = f"{registry.host}/my-org/api:v1"
        started = time.monotonic()
        verdict = look_up([image], Registry(client))[image]

    assert verdict.status is Status.TIMED_OUT
    assert time.monotonic() - started < 3


def test_a_slow_blob_may_exceed_the_timeout() -> None:
    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            connection.sendall(b"x")
            time.sleep(0.05)

    with raw_server(speak) as registry:
        client = HttpClient(plain_http=frozenset({registry.host}), read_seconds=0.5)
        with client.send("GET", f"http://{registry.host}/") as answer:
            assert b"".join(answer.blocks()) == b"x" * 20


def closing(connection: socket.socket) -> None:
    """Respond once, and close the connection when it is used again."""
    connection.recv(65536)
    connection.sendall(
        f"HTTP/1.1 200 OK\r\nContent-Type: {MANIFEST}\r\nContent-Length: 2\r\n\r\n"
        "".encode()
    )
    connection.recv(65536)


def test_a_closed_idle_connection_fails_no_image() -> None:
    with raw_server(closing) as registry:
        verdicts = look(registry.host, 12)

    assert [item.status for item in verdicts] == [Status.PUBLIC] * 12


def test_a_post_is_not_retried() -> None:
    bodies = []

    def speak(connection: socket.socket) -> None:
        bodies.append(connection.recv(65536))

    with raw_server(speak) as portal:
        client = HttpClient(plain_http=frozenset({portal.host}))
        with (
            pytest.raises(Exception, match="was lost"),
            client.send("POST", f"http://{portal.host}/", body=b"{}"),
        ):
            pass

    assert len(bodies) == 1


@pytest.mark.parametrize(("failures", "status"), [(1, Status.PUBLIC), (2, Status.DNS)])
def test_a_temporary_dns_failure_is_retried_once(
    monkeypatch: pytest.MonkeyPatch, failures: int, status: Status
) -> None:
    # The system's resolver cannot be made to fail temporarily.
    asked, resolve = [], socket.getaddrinfo

    def getaddrinfo(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments[0])
        if len(asked) <= failures:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return resolve(*arguments, **options)

    with server(lambda _: OK, name="localhost") as registry:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        (verdict,) = look(registry.host, seconds=5)

    assert verdict.status is status
    assert asked[:2] == ["localhost", "localhost"]
    assert len(asked) == 2


def test_only_the_proxy_gets_its_login(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with server(lambda _: OK) as proxy:
        url = f"http://us%40er:p%3Aw%C3%A9@{proxy.host}"
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "")
        (verdict,) = look("registry.example")

    login = base64.b64encode("us@er:p:wé".encode()).decode()
    assert verdict.status is Status.PUBLIC
    (request,) = proxy.requests
    assert request.path == "http://registry.example/v2/my-org/api/manifests/v0"
    assert request.headers["Proxy-Authorization"] == f"Basic {login}"
    assert login not in caplog.text
    assert "p%3Aw" not in caplog.text


def test_a_proxy_gets_its_login_before_tls_and_the_registry_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = authority.issue("127.0.0.1").server_context()
    heads: list[bytes] = []
    with server(lambda _: OK, tls=context) as registry:

        def tunnel(connection: socket.socket) -> None:
            heads.append(connection.recv(65536))
            name, _, port = registry.host.partition(":")
            with socket.create_connection((name, int(port))) as behind:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pipe, args=(behind, connection))
                back.start()
                pipe(connection, behind)
                back.join()

        with raw_server(tunnel) as proxy:
            monkeypatch.setenv("https_proxy", f"http://user:word@{proxy.host}")
            monkeypatch.setenv("no_proxy", "")
            image = f"{registry.host}/my-org/api:v1"
            client = HttpClient(ca_file=tmp_path / "ca.pem")
            verdict = look_up([image], Registry(client))[image]

    login = base64.b64encode(b"user:word").decode()
    assert verdict.status is Status.PUBLIC
    assert f"Proxy-Authorization: Basic {login}".encode() in heads[0]
    assert "Proxy-Authorization" not in registry.requests[0].headers


def pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    "document",
    [
        b'{"application": {"slug": "my-app"}, "sequence": Infinity}',
        b'{"application": {"slug": "my-app"}, "sequence": ' + b"9" * 5000 + b"}",
        b'{"application": {"slug": "my-app\\ud800"}, "sequence": 1}',
        b'{"application": [], "sequence": 1}',
        b'["application"]',
        b"[" * 100_000,
    ],
    ids=["infinite", "long", "half a character", "list", "text", "deep"],
)
def test_a_malformed_response_of_a_portal_is_reported(
    document: bytes, installer: Installer, license: Path, vendor: Path, tmp_path: Path
) -> None:
    answer = Answer(200, {"Content-Type": "application/json"}, document)
    outcome = patched(answer, installer, license, vendor, tmp_path)

    assert outcome["error"]["code"] == "bad_answer"
    assert not (tmp_path / "out").exists()


def test_any_sentence_of_a_portal_can_be_printed(
    installer: Installer, license: Path, vendor: Path, tmp_path: Path
) -> None:
    problem = b'{"detail": "No \\ud800 way.", "code": "refused"}'
    answer = Answer(403, {"Content-Type": "application/problem+json"}, problem)
    outcome = patched(answer, installer, license, vendor, tmp_path)

    assert outcome["error"] == {"code": "refused", "message": "No ? way."}


def patched(
    answer: Answer, installer: Installer, license: Path, vendor: Path, tmp_path: Path
) -> Any:
    def respond(_request: Request) -> Answer:
        return answer

    with server(respond) as portal:
        outcome = installer(
            *("patch", vendor, "--license", license, "--out", tmp_path / "out"),
            *("--portal", f"http://{portal.host}", "--plain-http", portal.host),
            *("--format", "json"),
        )
    return json.loads(outcome.out)


@pytest.mark.parametrize("url", ["https://[::1", "https://[x]/", "https://u:p@host"])
def test_a_malformed_portal_address_is_a_usage_error(
    url: str, installer: Installer, license: Path, vendor: Path, tmp_path: Path
) -> None:
    outcome = installer(
        *("patch", vendor, "--license", license, "--out", tmp_path / "out"),
        *("--portal", url),
    )

    assert outcome.code == 2
    assert "portal address" in outcome.err
