"""Places that a registry's endpoint can lead to: real ones, odd ones, and none."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import bcrypt
import yaml

from deploy.local import images
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import TokenAuth, find_registry, start_registry
from oci.scope import parse_scopes
from registries.tokens.registry_token import ISSUER, TokenIssuer
from registries.tokens.signing_keys import SigningKey, create_signing_material
from tests.support.servers.canned_server import (
    STRANGE_REALM,
    Answer,
    canned_server,
    silent_server,
)
from tests.support.servers.certificates import Authority, ServerCertificate

LOGIN = ("puller", "upstream-password-9d2c")
READABLE, UNREADABLE = "my-org/api", "secret/api"
NO_WAY = "255.255.255.255"
BODY = "internal detail 7b1f"
HTML = {"Content-Type": "text/html"}
PAGE = f"<html><h1>{BODY}</h1></html>".encode()


@dataclass
class Places:
    """Endpoints by name, and who signs the certificates of those with TLS."""

    authority: Authority
    endpoints: dict[str, str] = field(default_factory=dict)
    realm_host: str = ""

    @property
    def without_tls(self) -> list[str]:
        """All but those that are told by https."""
        by_https = ("tls", "no name", "private", "http for https", "silent tls")
        return [
            endpoint
            for name, endpoint in self.endpoints.items()
            if not name.startswith(by_https)
        ]

    def start(self, stack: ExitStack, directory: Path) -> None:
        self._start_registries(stack, directory)
        self._start_others(stack)
        closed = f"127.0.0.1:{free_port()}"
        self.endpoints |= {
            "closed": closed,
            "no name": "registry.invalid",
            "private": "10.0.0.1",
            # The broadcast address: Linux opens no connection to it.
            "no way": f"{NO_WAY}:5000",
        }

    def _start_registries(self, stack: ExitStack, directory: Path) -> None:
        issue = self.authority.issue
        basic = stack.enter_context(basic_registry(directory / "basic"))
        (directory / "token").mkdir()
        token, self.realm_host = stack.enter_context(
            token_registry(directory / "token")
        )
        port = free_port()
        stack.enter_context(start_registry(directory / "open", port))
        self.endpoints |= {
            "basic": basic,
            "token": token,
            "open": f"127.0.0.1:{port}",
            # Under this name it is not known to be without TLS.
            "http for https": basic.replace("127.0.0.1", "localhost"),
        }
        certificates = {
            "tls": issue("127.0.0.1"),
            "tls self-signed": issue("127.0.0.1", self_signed=True),
            "tls expired": issue("127.0.0.1", expired=True),
            "tls other host": issue("registry.example.com"),
            "https for http": issue("127.0.0.1"),
        }
        for name, certificate in certificates.items():
            self.endpoints[name] = stack.enter_context(
                tls_registry(directory / name.replace(" ", "-"), certificate)
            )

    def _start_others(self, stack: ExitStack) -> None:
        answers = {
            "strange realm": Answer(401, STRANGE_REALM),
            "limited": Answer(429, {"Retry-After": "17"}),
            "limited no time": Answer(429),
            "500": Answer(500, HTML, PAGE),
            "502": Answer(502, HTML, PAGE),
            "no challenge": Answer(401),
            "loop": Answer(302, {"Location": "/v2/"}),
            "page": Answer(200, HTML, PAGE),
            "page 404": Answer(404, HTML, PAGE),
        }
        for name, answer in answers.items():
            self.endpoints[name] = stack.enter_context(canned_server({"/": answer}))
        for name in ("silent", "silent tls"):
            self.endpoints[name] = stack.enter_context(silent_server())
        start = b"HTTP/1.1 200 OK\r\n"
        raw = {
            "half headers": raw_server(start + b"Content-", hang_up=False),
            "drips": raw_server(start, b"X-Line: x\r\n", hang_up=False),
            "hangs up": raw_server(b"", hang_up=True),
            "hangs up in headers": raw_server(start + b"Content-", hang_up=True),
            "ssh": raw_server(b"SSH-2.0-OpenSSH_9.2\r\n", hang_up=True),
        }
        for name, server in raw.items():
            self.endpoints[name] = stack.enter_context(server)


@contextlib.contextmanager
def basic_registry(directory: Path) -> Iterator[str]:
    """Run Debian's docker-registry behind htpasswd, with an image in it."""
    port = free_port()
    with start_registry(directory, port, htpasswd=LOGIN):
        url = f"http://127.0.0.1:{port}"
        images.push_image(url, READABLE, "v1", auth=LOGIN, layers=[b"layer"])
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def token_registry(directory: Path) -> Iterator[tuple[str, str]]:
    """Run Debian's docker-registry with token auth; yields its endpoint and realm host.

    The login may read one of the two repositories in it.
    """
    port = free_port()
    with start_registry(directory / "data", port):
        for repository in (READABLE, UNREADABLE):
            url = f"http://127.0.0.1:{port}"
            images.push_image(url, repository, "v1", layers=[b"layer"])
    material = create_signing_material()
    roots = directory / "roots.crt"
    roots.write_text(material.root_pem)
    issuer = TokenIssuer(SigningKey.parse(material.signing_pem))
    with _token_server(issuer) as realm_host:
        realm = f"http://{realm_host}/token"
        token = TokenAuth(realm, "registry", ISSUER, roots)
        with start_registry(directory / "data", port, token=token):
            yield f"127.0.0.1:{port}", realm_host


@contextlib.contextmanager
def _token_server(issuer: TokenIssuer) -> Iterator[str]:
    """Give tokens as distribution's auth/token.md says: fewer rights are no error."""
    pair = base64.b64encode(":".join(LOGIN).encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Basic {pair}":
                self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]})
                return
            query = parse_qs(urlsplit(self.path).query)
            asked = parse_scopes(query.get("scope", []))
            text = issuer.issue(
                subject=None,
                service=query["service"][0],
                grants=[scope for scope in asked if scope.name == READABLE],
                issued_at=datetime.now(UTC),
                lifetime_seconds=60,
            )
            self.answer(200, {"token": text})

        def answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def tls_registry(directory: Path, certificate: ServerCertificate) -> Iterator[str]:
    """Run Debian's docker-registry with TLS, behind htpasswd and with no image."""
    directory.mkdir()
    port = free_port()
    hashed = bcrypt.hashpw(LOGIN[1].encode(), bcrypt.gensalt(rounds=4)).decode()
    htpasswd = directory / "htpasswd"
    htpasswd.write_text(f"{LOGIN[0]}:{hashed}\n")
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    config = directory / "config.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": 0.1,
                "storage": {"inmemory": {}},
                "http": {"addr": f"127.0.0.1:{port}", "secret": "x", "tls": tls},
                "auth": {"htpasswd": {"realm": "registry", "path": str(htpasswd)}},
            }
        )
    )
    with ManagedProcess(
        [str(find_registry()), "serve", str(config)],
        name="TLS registry",
        log=directory / "registry.log",
        env={},
    ) as process:
        process.wait_until(lambda: _listens(port), 30)
        yield f"127.0.0.1:{port}"


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def raw_server(first: bytes, then: bytes = b"", *, hang_up: bool) -> Iterator[str]:
    """Take connections, read a request, and answer with bytes.

    ``first`` is sent at once, ``then`` again and again. Without ``hang_up`` it ends no
    connection by itself.
    """
    stop = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(first)
            while not hang_up and not stop.wait(0.05):
                connection.sendall(then)

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                thread = threading.Thread(target=serve, args=(connection,))
                threads.append(thread)
                thread.start()

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            for thread in (accepting, *threads):
                thread.join()
