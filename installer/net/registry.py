"""Requests for a registry's manifests and blobs, made as docker makes them.

Sources: OCI distribution spec 1.1, "Pulling manifests"; Distribution's "Token
authentication" (the Bearer challenge and the token server's response).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urljoin

import urllib3
from urllib3.exceptions import InvalidHeader

from installer.net.client import HttpClient, Response, host_of
from installer.net.failures import MALFORMED, Failure, RequestError
from oci.challenge import Challenge, parse_challenges
from oci.kustomize import DOCKER_HUB, home_of
from oci.media_types import DEFAULT_MANIFEST_ACCEPT
from oci.reference import Reference

TOO_MANY_REQUESTS: Final = 429
_DOCKER_HUB_REGISTRY: Final = "registry-1.docker.io"
_MAX_REDIRECTS: Final = 5
_TOKEN_BYTES: Final = 256 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ACCEPT: Final = {"Accept": DEFAULT_MANIFEST_ACCEPT}
_SHORT_PAUSE_SECONDS: Final = 0.5
# Surrounds each request to a host, from before it until after the response.
Visit = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """One image, whatever its spelling: host, repository, and tag or digest."""

    host: str
    repository: str
    reference: str

    def __str__(self) -> str:
        mark = "@" if ":" in self.reference else ":"
        return f"{self.repository}{mark}{self.reference}"


def target_of(reference: Reference) -> Target:
    """Return the target of a reference; without a version that is ``latest``."""
    host, repository = home_of(reference)
    return Target(host, repository, reference.digest or reference.tag or "latest")


@dataclass(frozen=True, slots=True)
class Login:
    """A license ID, and the hosts that may see it."""

    password: str = field(repr=False)
    hosts: frozenset[str]

    @property
    def header(self) -> dict[str, str]:
        return dict(urllib3.make_headers(basic_auth=f"license:{self.password}"))


class Refused(Exception):  # noqa: N818 -- states the fact
    """The registry or its token server denies access.

    ``sentence`` is the registry's own, empty if it sent none.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Busy(Exception):  # noqa: N818 -- states the fact
    """A registry or its token server has too many requests, or an internal error.

    ``host`` is the one that says so, ``retry_after`` the seconds to wait.
    """

    def __init__(self, status: int, retry_after: float, host: str) -> None:
        super().__init__(str(status))
        self.status = status
        self.retry_after = retry_after
        self.host = host


def raise_if_busy(response: Response) -> None:
    """Raise ``Busy`` for 429 and 5xx."""
    if response.status == TOO_MANY_REQUESTS or response.status >= 500:
        raise Busy(response.status, _retry_after(response.headers), response.host)


class Registry:
    """Asks registries, anonymously unless it has a login for their host."""

    def __init__(
        self, client: HttpClient, login: Login | None = None, visit: Visit | None = None
    ) -> None:
        self._client = client
        self._login = login
        self._visit: Visit = visit or (lambda _host: nullcontext())
        self._lock = threading.Lock()
        self._headers: dict[tuple[str, str], dict[str, str]] = {}

    def visiting(self, visit: Visit) -> Registry:
        """Return a registry that makes each request within ``visit`` of the host."""
        return Registry(self._client, self._login, visit)

    def stop(self) -> None:
        """Abort all requests, and send no more."""
        self._client.stop()

    def manifest(self, method: str, target: Target) -> AbstractContextManager[Response]:
        """Yield the response for a manifest, logging in if the registry asks for that.

        Raises:
            Refused: there is no login, or it is insufficient.
            Busy: the token server responds with 429 or 5xx.
            RequestError: the registry or its token server gave no usable response.
        """
        path = f"manifests/{target.reference}"
        return self._ask(method, target, path, _ACCEPT)

    def blob(
        self, target: Target, digest: str, start: int = 0
    ) -> AbstractContextManager[Response]:
        """Yield the response for a blob from an offset. Raises like ``manifest``.

        The blob is in the repository of ``target``.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        return self._ask("GET", target, f"blobs/{digest}", headers)

    @contextmanager
    def _ask(
        self, method: str, target: Target, path: str, headers: Mapping[str, str]
    ) -> Iterator[Response]:
        host, repository = target.host, target.repository
        server = _DOCKER_HUB_REGISTRY if host == DOCKER_HUB else host
        url = self._client.url(server, f"/v2/{repository}/{path}")
        known = self._headers.get((host, repository), {})
        with ExitStack() as stack:
            response = stack.enter_context(self._follow(method, url, headers, known))
            if response.status == 401:
                challenges = _challenges(response)
                stack.pop_all().close()
                known = self._log_in(server, repository, challenges)
                with self._lock:
                    self._headers[host, repository] = known
                retried = self._follow(method, url, headers, known)
                response = stack.enter_context(retried)
            yield response

    @contextmanager
    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: Mapping[str, str],
    ) -> Iterator[Response]:
        """Send a request and follow redirects, with no login for other hosts."""
        first = host = host_of(url)
        for _ in range(_MAX_REDIRECTS):
            sent = {**headers, **(authorization if host == first else {})}
            with (
                self._visit(host),
                self._client.send(method, url, headers=sent) as response,
            ):
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or not location:
                    yield response
                    return
            url = _redirected(url, location, host)
            host = host_of(url)
        sentence = f"{first} redirects too many times."
        raise RequestError(Failure.BAD_RESPONSE, sentence, first)

    def _log_in(
        self, host: str, repository: str, challenges: list[Challenge]
    ) -> dict[str, str]:
        """Return the header that satisfies a challenge."""
        login = self._login if self._login and host in self._login.hosts else None
        schemes = {item.scheme: item for item in reversed(challenges)}
        if "bearer" in schemes:
            return self._bearer(repository, schemes["bearer"].parameters, login)
        if login is None or "basic" not in schemes:
            raise Refused
        return login.header

    def _bearer(
        self, repository: str, parameters: Mapping[str, str], login: Login | None
    ) -> dict[str, str]:
        realm = parameters.get("realm", "")
        query = {
            "service": parameters.get("service", ""),
            "scope": parameters.get("scope") or f"repository:{repository}:pull",
        }
        encoded = urlencode({key: value for key, value in query.items() if value})
        url = f"{realm}{'&' if '?' in realm else '?'}{encoded}"
        server = _token_server(realm)
        if not self._client.allows(url):
            sentence = "The registry names a token server without TLS."
            raise RequestError(Failure.BAD_RESPONSE, sentence)
        # A registry can name any realm, but only Berth's own hosts see the license.
        shown = login if login and server in login.hosts else None
        with self._follow("GET", url, {}, shown.header if shown else {}) as response:
            if response.status in {401, 403}:
                raise Refused(error_sentence(response))
            raise_if_busy(response)
            return {"Authorization": f"Bearer {_registry_token(response)}"}


def error_sentence(response: Response) -> str:
    """Return the first message of an OCI error, empty if there is none."""
    try:
        document = json.loads(response.read(_TOKEN_BYTES))
        message = document["errors"][0]["message"]
    except (RequestError, *MALFORMED):
        return ""
    return plain_sentence(message) if isinstance(message, str) else ""


def plain_sentence(text: str) -> str:
    """Return untrusted text as one short line that can be written anywhere."""
    # JSON can spell lone surrogates, which no file or terminal accepts.
    return " ".join(text.encode(errors="replace").decode().split())[:500]


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that ``Retry-After`` asks for, else a short pause."""
    try:
        return float(urllib3.Retry().parse_retry_after(headers.get("Retry-After", "")))
    except (InvalidHeader, *MALFORMED):
        return _SHORT_PAUSE_SECONDS


def _redirected(url: str, location: str, host: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        sentence = f"{host} redirects to an invalid address."
        raise RequestError(Failure.BAD_RESPONSE, sentence, host) from error


def _token_server(realm: str) -> str:
    try:
        return host_of(realm)
    except RequestError as error:
        sentence = "The registry names a token server with an invalid address."
        raise RequestError(Failure.BAD_RESPONSE, sentence) from error


def _challenges(response: Response) -> list[Challenge]:
    return parse_challenges(response.headers.getlist("WWW-Authenticate"))


def _registry_token(response: Response) -> str:
    try:
        document = json.loads(response.read(_TOKEN_BYTES))
        token = document.get("token") or document.get("access_token")
    except MALFORMED:
        token = None
    is_usable = isinstance(token, str) and token.isascii() and token.isprintable()
    if response.status != 200 or not is_usable:
        raise RequestError(
            Failure.BAD_RESPONSE,
            f"{response.host} is not a token server: it returned no token.",
            response.host,
        )
    return str(token)
