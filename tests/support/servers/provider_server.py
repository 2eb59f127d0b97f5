"""Registries of well-known providers: their names and their answers, on this machine.

A server with TLS answers under the providers' own host names, which a resolver leads
to it, and records every request. Each :class:`Registry` says how one provider asks
for a login, and how it answers a wrong one and a repository without access.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from tests.support.servers.canned_server import Answer, Request, http_server
from tests.support.servers.certificates import Authority

TOKEN = "a-token-of-the-token-service"
EMPTY_TOKEN = "a-token-that-grants-nothing"


def errors(status: int, code: str, message: str) -> Answer:
    """Return an answer as the distribution API's errors are."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, {"Content-Type": "application/json"}, body)


def bearer(realm: str, service: str) -> str:
    """Return a challenge that leads to a token service."""
    return f'Bearer realm="{realm}",service="{service}"'


@dataclass(frozen=True)
class Registry:
    """How a provider's registry and its token service answer.

    Attributes:
        host: the host of the registry's API.
        login: the username and password that it takes.
        repository: what the login may read; it has the one tag ``v1``.
        challenge: the WWW-Authenticate header of its 401s.
        wrong_login: the answer to another login, of the token service if there is one.
        no_access: the registry's answer to a manifest of another repository.
        no_token: the token service's to a scope of another repository. With None it
            gives a token that grants nothing.
        token_field: what the token service calls the token.
        first: the answer without a login at ``/v2/``, if not a 401.
    """

    host: str
    login: tuple[str, str]
    challenge: str
    wrong_login: Answer
    no_access: Answer
    repository: str = "acme/api"
    no_token: Answer | None = None
    token_field: str = "token"
    first: Answer | None = None

    @property
    def realm(self) -> str:
        """The address of the token service, "" for Basic."""
        scheme, _, rest = self.challenge.partition(" ")
        return rest.split('"')[1] if scheme == "Bearer" else ""

    @property
    def realm_host(self) -> str:
        """The token service's host as in a request's Host, "" for Basic."""
        return urlsplit(self.realm).netloc.removesuffix(":443")

    @property
    def service(self) -> str:
        return self.challenge.partition('service="')[2].partition('"')[0]

    @property
    def hosts(self) -> set[str]:
        """All hosts that have to see something of the login, and no others."""
        return {self.host, self.realm_host} if self.realm_host else {self.host}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; what it asked for is in ``path`` and ``query``."""

    method: str
    host: str
    path: str
    query: Mapping[str, list[str]]
    authorization: str


@dataclass
class ProviderServer:
    """The server; ``speak`` sets which registry it is."""

    port: int
    tls: ssl.SSLContext
    requests: list[Seen] = field(default_factory=list)
    _registry: Registry | None = None

    def speak(self, registry: Registry) -> None:
        self._registry = registry
        self.requests.clear()

    def resolver(self) -> AbstractResolver:
        return _Resolver(self.port)

    def logins(self) -> set[tuple[str, str]]:
        """Return where any login or token was sent to, as ``(host, path)``."""
        return {(seen.host, seen.path) for seen in self.requests if seen.authorization}

    def answer(self, seen: Seen) -> Answer:
        self.requests.append(seen)
        if self._registry is None:
            return Answer(500)
        realm_path = urlsplit(self._registry.realm).path
        if (seen.host, seen.path) == (self._registry.realm_host, realm_path):
            return _token_answer(self._registry, seen)
        if seen.host == self._registry.host:
            return _registry_answer(self._registry, seen)
        return Answer(404)


def _token_answer(registry: Registry, seen: Seen) -> Answer:
    if seen.query.get("service", [""]) != [registry.service]:
        return errors(400, "UNSUPPORTED", "unknown service")
    if seen.authorization != _basic(*registry.login):
        return registry.wrong_login
    token = TOKEN
    scope = seen.query.get("scope", [""])[0]
    if scope and scope != f"repository:{registry.repository}:pull":
        if registry.no_token is not None:
            return registry.no_token
        token = EMPTY_TOKEN
    body = json.dumps({registry.token_field: token, "expires_in": 300}).encode()
    return Answer(200, {"Content-Type": "application/json"}, body)


def _registry_answer(registry: Registry, seen: Seen) -> Answer:
    authorization = seen.authorization
    if registry.realm:
        taken = authorization in {f"Bearer {TOKEN}", f"Bearer {EMPTY_TOKEN}"}
    else:
        taken = authorization == _basic(*registry.login)
    if not taken:
        return _challenging(registry, seen, authorization)
    if seen.path == "/v2/":
        return Answer(200, {"Content-Type": "application/json"}, b"{}")
    may_read = authorization != f"Bearer {EMPTY_TOKEN}"
    if may_read and seen.path.startswith(f"/v2/{registry.repository}/"):
        found = seen.path == f"/v2/{registry.repository}/manifests/v1"
        unknown = errors(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return Answer(200) if found else unknown
    status, headers, body = registry.no_access
    if status == 401:
        headers = {**headers, "WWW-Authenticate": registry.challenge}
    return Answer(status, headers, body)


def _challenging(registry: Registry, seen: Seen, authorization: str) -> Answer:
    if registry.first is not None and not authorization:
        return registry.first
    status, headers, body = errors(401, "UNAUTHORIZED", "authentication required")
    if authorization and not registry.realm:
        status, headers, body = registry.wrong_login
    return Answer(status, {**headers, "WWW-Authenticate": registry.challenge}, body)


def _basic(username: str, password: str) -> str:
    pair = f"{username}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


class _Resolver(AbstractResolver):
    """Resolves every name to one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None:
        pass


@contextlib.contextmanager
def provider_server(directory: Path, *hosts: str) -> Iterator[ProviderServer]:
    """Run it, with a certificate for ``hosts`` that its ``tls`` trusts."""
    authority = Authority(directory)
    state = ProviderServer(0, authority.client_context())

    def answer(request: Request) -> Answer:
        host = str(request.headers.get("Host", ""))
        path, query = request.address.path, request.query
        seen = Seen(request.method, host, path, query, request.authorization)
        answer = state.answer(seen)
        version = {"Docker-Distribution-Api-Version": "registry/2.0"}
        return answer._replace(headers=version | dict(answer.headers))

    tls = authority.issue(*hosts).server_context()
    with http_server(answer, tls=tls) as state.port:
        yield state
