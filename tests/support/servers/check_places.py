"""Places that a registry's endpoint can lead to: real ones, odd ones, and none."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

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
    Request,
    canned_server,
    http_server,
    saying_server,
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
        """All but those that are reached by https."""
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
            "half headers": saying_server(start + b"Content-", hangs_up=False),
            "drips": saying_server(start, b"X-Line: x\r\n", seconds=0.05),
            "hangs up": saying_server(b""),
            "hangs up in headers": saying_server(start + b"Content-"),
            "ssh": saying_server(b"SSH-2.0-OpenSSH_9.2\r\n"),
        }
        for name, server in raw.items():
            self.endpoints[name] = stack.enter_context(server).host


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

    def answer(request: Request) -> Answer:
        if request.authorization != f"Basic {pair}":
            return Answer(401, {}, b'{"errors": [{"code": "UNAUTHORIZED"}]}')
        asked = parse_scopes(request.query.get("scope", []))
        text = issuer.issue(
            subject=None,
            service=request.query["service"][0],
            grants=[scope for scope in asked if scope.name == READABLE],
            issued_at=datetime.now(UTC),
            lifetime_seconds=60,
        )
        return Answer(200, {}, json.dumps({"token": text}).encode())

    with http_server(answer) as port:
        yield f"127.0.0.1:{port}"


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
