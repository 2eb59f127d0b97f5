"""Places that a registry's endpoint can lead to: real ones, odd ones, and none."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import bcrypt
import yaml

from deploy.local import images
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import TokenAuth, find_registry, start_registry
from edge.token.keys import SigningKey, create_signing_material
from edge.token.registry_token import ISSUER, TokenIssuer
from oci.scope import parse_scopes
from tests.support.certificates import ServerCertificate

LOGIN = ("puller", "upstream-password-9d2c")
READABLE, UNREADABLE = "my-org/api", "secret/api"


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
