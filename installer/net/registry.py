"""Manifests and blobs of a registry, asked for as docker asks.

Sources: OCI distribution spec 1.1, "Pulling manifests"; Distribution's "Token
authentication" (the Bearer challenge and the token server's answer).
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

from installer.net.client import Answer, NoAnswer, Trouble, Web, host_of
from oci.challenge import Challenge, parse_challenges
from oci.kustomize import DOCKER_HUB
from oci.media_types import DEFAULT_MANIFEST_ACCEPT

_DOCKER_HUB_REGISTRY: Final = "registry-1.docker.io"
_MAX_REDIRECTS: Final = 5
_TOKEN_BYTES: Final = 256 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ACCEPT: Final = {"Accept": DEFAULT_MANIFEST_ACCEPT}
# What surrounds each request to a host: before it, and after the answer.
Visit = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Login:
    """A license ID, and the hosts that may see it."""

    password: str = field(repr=False)
    hosts: frozenset[str]

    @property
    def header(self) -> dict[str, str]:
        return dict(urllib3.make_headers(basic_auth=f"license:{self.password}"))


class Refused(Exception):  # noqa: N818 -- states the fact
    """The token server, or the registry, gives this to nobody with our right.

    ``sentence`` is the registry's own, empty if it gave none.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Busy(Exception):  # noqa: N818 -- states the fact
    """A registry or its token server asks to come back later, or failed.

    ``host`` is the one that says so.
    """

    def __init__(self, status: int, headers: Mapping[str, str], host: str = "") -> None:
        super().__init__(str(status))
        self.status = status
        self.headers = headers
        self.host = host


class Registry:
    """Asks registries, anonymously unless a login is for their host."""

    def __init__(
        self, web: Web, login: Login | None = None, visit: Visit | None = None
    ) -> None:
        self._web = web
        self._login = login
        self._visit: Visit = visit or (lambda _host: nullcontext())
        self._lock = threading.Lock()
        self._headers: dict[tuple[str, str], dict[str, str]] = {}

    def visiting(self, visit: Visit) -> Registry:
        """Return one that asks the same way, each time within ``visit`` of the host."""
        return Registry(self._web, self._login, visit)

    def stop(self) -> None:
        """Break off all requests, and send no more."""
        self._web.stop()

    @contextmanager
    def manifest(
        self, method: str, host: str, repository: str, reference: str
    ) -> Iterator[Answer]:
        """Yield the answer for a manifest, after a login if one is asked for.

        Raises:
            Refused: there is no login, or it is not enough.
            Busy: the token server answers 429 or 5xx.
            NoAnswer: the registry or its token server gave none.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        with self._ask(method, host, repository, path, _ACCEPT) as answer:
            yield answer

    @contextmanager
    def blob(
        self, host: str, repository: str, digest: str, start: int = 0
    ) -> Iterator[Answer]:
        """Yield the answer for a blob, from a byte on. Raises as ``manifest`` does."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        path = f"/v2/{repository}/blobs/{digest}"
        with self._ask("GET", host, repository, path, headers) as answer:
            yield answer

    @contextmanager
    def _ask(
        self,
        method: str,
        host: str,
        repository: str,
        path: str,
        headers: Mapping[str, str],
    ) -> Iterator[Answer]:
        asked = _DOCKER_HUB_REGISTRY if host == DOCKER_HUB else host
        url = self._web.url(asked, path)
        known = self._headers.get((host, repository), {})
        with ExitStack() as stack:
            answer = stack.enter_context(self._follow(method, url, headers, known))
            if answer.status == 401:
                challenges = _challenges(answer)
                stack.pop_all().close()
                known = self._log_in(asked, repository, challenges)
                with self._lock:
                    self._headers[host, repository] = known
                answer = stack.enter_context(self._follow(method, url, headers, known))
            yield answer

    @contextmanager
    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: Mapping[str, str],
    ) -> Iterator[Answer]:
        """Send a request, and on to where it is sent, with no login elsewhere."""
        first = asked = host_of(url)
        for _ in range(_MAX_REDIRECTS):
            sent = {**headers, **(authorization if asked == first else {})}
            with (
                self._visit(asked),
                self._web.send(method, url, headers=sent) as answer,
            ):
                location = answer.headers.get("Location")
                if answer.status not in _REDIRECTS or not location:
                    yield answer
                    return
            url = _redirected(url, location, asked)
            asked = host_of(url)
        sentence = f"{first} redirects without end."
        raise NoAnswer(Trouble.BAD_ANSWER, sentence, first)

    def _log_in(
        self, host: str, repository: str, challenges: list[Challenge]
    ) -> dict[str, str]:
        """Return the header that answers a challenge."""
        login = self._login if self._login and host in self._login.hosts else None
        schemes = {each.scheme: each for each in reversed(challenges)}
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
        asked = urlencode({key: value for key, value in query.items() if value})
        url = f"{realm}{'&' if '?' in realm else '?'}{asked}"
        server = _token_server(realm)
        if not self._web.allows(url):
            raise NoAnswer(
                Trouble.BAD_ANSWER, "The registry names a token server without TLS."
            )
        # A registry can name any realm; the license is shown to hosts of Berth only.
        shown = login if login and server in login.hosts else None
        with self._follow("GET", url, {}, shown.header if shown else {}) as answer:
            if answer.status in {401, 403}:
                raise Refused(error_sentence(answer))
            if answer.status == 429 or answer.status >= 500:
                raise Busy(answer.status, answer.headers, answer.host)
            return {"Authorization": f"Bearer {_registry_token(answer)}"}


def error_sentence(answer: Answer) -> str:
    """Return the first message of an OCI error, empty if there is none."""
    try:
        document = json.loads(answer.read(_TOKEN_BYTES))
        message = document["errors"][0]["message"]
    except (NoAnswer, ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
    return plain_sentence(message) if isinstance(message, str) else ""


def plain_sentence(text: str) -> str:
    """Return what a stranger says as one line that can be written anywhere."""
    # JSON can spell halves of characters, which no file or terminal takes.
    return " ".join(text.encode(errors="replace").decode().split())[:500]


def _redirected(url: str, location: str, host: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        sentence = f"{host} redirects to what is no address."
        raise NoAnswer(Trouble.BAD_ANSWER, sentence, host) from error


def _token_server(realm: str) -> str:
    try:
        return host_of(realm)
    except NoAnswer as error:
        raise NoAnswer(
            Trouble.BAD_ANSWER, "The registry names a token server at no address."
        ) from error


def _challenges(answer: Answer) -> list[Challenge]:
    return parse_challenges(answer.headers.getlist("WWW-Authenticate"))


def _registry_token(answer: Answer) -> str:
    try:
        document = json.loads(answer.read(_TOKEN_BYTES))
        found = document.get("token") or document.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        found = None
    usable = isinstance(found, str) and found.isascii() and found.isprintable()
    if answer.status != 200 or not usable:
        raise NoAnswer(
            Trouble.BAD_ANSWER,
            f"{answer.host} is no token server: it gave no token.",
            answer.host,
        )
    return str(found)
