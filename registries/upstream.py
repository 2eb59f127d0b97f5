"""The client for external registries: signing in, redirects, timeouts, errors.

Every connection is opened by the address guard. A credential is sent to the registry
itself or to a trusted realm, never along a redirect to another host.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from django.conf import settings
from yarl import URL

from oci.challenge import Challenge, parse_challenges
from portal.expiring_cache import ExpiringCache
from registries.address_guard import AddressBlocked, AddressGuard
from registries.realm_trust import authority, is_trusted_realm
from registries.upstream_errors import (
    CredentialRejected,
    RealmNotTrusted,
    RepositoryDenied,
    UpstreamError,
    UpstreamFault,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from registries.upstream_target import UpstreamTarget

MAX_REDIRECTS = 5
MAX_TOKEN_RESPONSE_BYTES = 256 * 1024
# distribution-spec auth/token.md: a token lives 60 seconds unless it says otherwise.
DEFAULT_TOKEN_SECONDS = 60.0
MAX_TOKEN_SECONDS = 3600.0
USER_AGENT = "Berth/0.1"


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One request to a registry: ``scope`` is what a token for it must cover."""

    method: str
    path: str
    scope: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _SignIn:
    """How a registry wants to be signed in to, learnt from its challenge."""

    scheme: str
    realm: str = ""
    service: str = ""


@asynccontextmanager
async def upstream_client(
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[UpstreamClient]:
    """Open a client with its own connection pool, for one event loop."""
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        limit=0,
        limit_per_host=0,
        ttl_dns_cache=30,
        socket_factory=AddressGuard(settings.BERTH_ALLOWED_PRIVATE_NETWORKS),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=2**18,
        skip_auto_headers={"Accept", "Accept-Encoding", "User-Agent"},
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.BERTH_UPSTREAM_CONNECT_SECONDS,
            sock_read=settings.BERTH_UPSTREAM_READ_SECONDS,
        ),
    ) as session:
        yield UpstreamClient(session)


class UpstreamClient:
    """Speaks to external registries as their vendors' credentials allow."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._sign_ins: dict[tuple[object, ...], _SignIn] = {}
        self._authorizations: ExpiringCache[tuple[object, ...], str] = ExpiringCache(
            max_entries=10_000
        )

    async def open(
        self, target: UpstreamTarget, request: UpstreamRequest
    ) -> aiohttp.ClientResponse:
        """Send a request, sign in if asked to, and return the open response.

        The caller reads the body and releases or closes the response. Statuses other
        than 401, 403 and 429 are returned as they came.

        Raises:
            CredentialRejected: the registry or its token service refused to sign in.
            RepositoryDenied: signed in, but the repository is not for this account.
            RealmNotTrusted: it wants the credential sent to a stranger.
            UpstreamRateLimited: 429, with how long to wait if it said so.
            UpstreamUnreachable, UpstreamTimeout, UpstreamFault: no usable answer.
        """
        key = (target.credential_id, target.api_host, request.scope)
        known = self._sign_ins.get(key)
        authorization = await self._authorization(target, known, request.scope)
        response = await self._send(target, request, authorization)
        if response.status == 401:
            self._forget(target, key, known, request.scope)
            sign_in = _choose(_challenges(response), target)
            response.close()
            authorization = await self._authorization(target, sign_in, request.scope)
            response = await self._send(target, request, authorization)
            if response.status < 400:
                self._remember(key, sign_in)
            elif response.status == 401 and sign_in.scheme == "basic":
                response.close()
                raise CredentialRejected(target)
        return _usable(response, target)

    def _remember(self, key: tuple[object, ...], sign_in: _SignIn) -> None:
        if len(self._sign_ins) >= 10_000:
            self._sign_ins.clear()
        self._sign_ins[key] = sign_in

    def _forget(
        self,
        target: UpstreamTarget,
        key: tuple[object, ...],
        known: _SignIn | None,
        scope: str,
    ) -> None:
        if known is not None:
            self._sign_ins.pop(key, None)
            self._authorizations.forget(_token_key(target, known, scope))

    async def _authorization(
        self, target: UpstreamTarget, sign_in: _SignIn | None, scope: str
    ) -> str | None:
        if sign_in is None:
            return None
        if sign_in.scheme == "basic":
            return _basic(target)

        async def load() -> tuple[str, float]:
            return await self._fetch_token(target, sign_in, scope)

        return await self._authorizations.get(_token_key(target, sign_in, scope), load)

    async def _fetch_token(
        self, target: UpstreamTarget, sign_in: _SignIn, scope: str
    ) -> tuple[str, float]:
        query = {"service": sign_in.service} if sign_in.service else {}
        if scope:
            query["scope"] = scope
        url = URL(sign_in.realm).update_query(query)
        headers = {"Accept": "application/json", "Authorization": _basic(target)}
        with _translated_errors(target):
            async with self._session.get(
                url, headers=_with_defaults(headers), allow_redirects=False
            ) as response:
                if response.status in {400, 401, 403}:
                    raise CredentialRejected(target, response.status)
                body = await response.content.read(MAX_TOKEN_RESPONSE_BYTES)
                while len(body) < MAX_TOKEN_RESPONSE_BYTES and (
                    more := await response.content.read(MAX_TOKEN_RESPONSE_BYTES)
                ):
                    body += more
                _usable(response, target)
                return _read_token(response.status, body, target)

    async def _send(
        self,
        target: UpstreamTarget,
        request: UpstreamRequest,
        authorization: str | None,
    ) -> aiohttp.ClientResponse:
        """Follow redirects by hand: each hop is guarded, none gets the credential."""
        url = URL(target.base_url + request.path, encoded=True)
        headers = _with_defaults(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        for _ in range(MAX_REDIRECTS + 1):
            with _translated_errors(target):
                response = await self._session.request(
                    request.method, url, headers=headers, allow_redirects=False
                )
            if response.status not in {301, 302, 303, 307, 308}:
                return response
            location = response.headers.get("Location", "")
            response.release()
            following = _redirect(url, location, target)
            if following.origin() != url.origin():
                headers.pop("Authorization", None)
            url = following
        raise UpstreamFault(target, "redirected too many times")


def _token_key(
    target: UpstreamTarget, sign_in: _SignIn, scope: str
) -> tuple[object, ...]:
    return (target.credential_id, sign_in.realm, sign_in.service, scope)


def _with_defaults(headers: Mapping[str, str]) -> dict[str, str]:
    # Bodies are passed on byte for byte, so no content coding is asked for.
    return {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}


def _basic(target: UpstreamTarget) -> str:
    pair = f"{target.username.reveal()}:{target.secret.reveal()}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _challenges(response: aiohttp.ClientResponse) -> list[Challenge]:
    return parse_challenges(response.headers.getall("WWW-Authenticate", []))


def _choose(challenges: list[Challenge], target: UpstreamTarget) -> _SignIn:
    """Pick a challenge to answer: Bearer before Basic.

    Raises:
        RealmNotTrusted: the only Bearer realm is not one to send a credential to.
        UpstreamFault: there is no challenge that Berth can answer.
    """
    for challenge in challenges:
        if challenge.scheme == "bearer":
            realm = challenge.parameters.get("realm", "")
            if not _is_trusted(realm, target):
                raise RealmNotTrusted(target, realm)
            service = challenge.parameters.get("service", "")
            return _SignIn("bearer", realm, service)
    if any(challenge.scheme == "basic" for challenge in challenges):
        return _SignIn("basic")
    raise UpstreamFault(target, "asks to sign in without saying how")


def _is_trusted(realm: str, target: UpstreamTarget) -> bool:
    try:
        return is_trusted_realm(URL(realm), target)
    except ValueError:
        return False


def _read_token(status: int, body: bytes, target: UpstreamTarget) -> tuple[str, float]:
    try:
        answer: Any = json.loads(body) if status == 200 else None
        upstream_token = answer.get("token") or answer.get("access_token")
        seconds = float(answer.get("expires_in") or DEFAULT_TOKEN_SECONDS)
    except (ValueError, AttributeError, TypeError) as error:
        raise UpstreamFault(target, "has a token service with no usable answer") from (
            error
        )
    if not isinstance(upstream_token, str) or not _is_header_safe(upstream_token):
        raise UpstreamFault(target, "has a token service that gave no token")
    # Renewed early, so that no request leaves with a token about to expire.
    life = max(0.0, min(seconds, MAX_TOKEN_SECONDS) * 0.8 - 1)
    return f"Bearer {upstream_token}", life


def _is_header_safe(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _redirect(url: URL, location: str, target: UpstreamTarget) -> URL:
    try:
        following = url.join(URL(location, encoded=True))
        following.origin()
    except ValueError as error:
        raise UpstreamFault(target, "redirected to an unusable address") from error
    if following.scheme == "http" and (
        authority(following) not in settings.BERTH_INSECURE_REGISTRIES
    ):
        raise UpstreamFault(target, "redirected to an address without TLS")
    return following


def _usable(
    response: aiohttp.ClientResponse, target: UpstreamTarget
) -> aiohttp.ClientResponse:
    if response.status == 429:
        retry_after = response.headers.get("Retry-After", "")
        response.close()
        raise UpstreamRateLimited(target, retry_after)
    if response.status in {401, 403}:
        response.close()
        raise RepositoryDenied(target, response.status)
    return response


class _translated_errors:  # noqa: N801 -- reads as the context manager it is
    """Turn what aiohttp raises into what the caller is told."""

    def __init__(self, target: UpstreamTarget) -> None:
        self._target = target

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _tb: object) -> None:
        if error is None:
            return
        translated = translate(error, self._target)
        if translated is not None:
            raise translated from error


def translate(error: BaseException, target: UpstreamTarget) -> Exception | None:
    """Return the upstream error that a client library's exception stands for."""
    for kinds, told in _TRANSLATIONS:
        if isinstance(error, kinds):
            return told(target, error)
    return None


_TRANSLATIONS: list[
    tuple[
        tuple[type[BaseException], ...],
        Callable[[UpstreamTarget, Any], UpstreamError],
    ]
] = [
    ((TimeoutError,), lambda target, _: UpstreamTimeout(target)),
    (
        (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError),
        lambda target, _: UpstreamUnreachable(
            target, "its TLS certificate is not valid"
        ),
    ),
    (
        (aiohttp.ClientConnectorDNSError,),
        lambda target, _: UpstreamUnreachable(target, "its name does not resolve"),
    ),
    (
        (aiohttp.ClientConnectorError,),
        lambda target, error: UpstreamUnreachable(
            target, _connect_problem(error.os_error)
        ),
    ),
    (
        (aiohttp.InvalidURL,),
        lambda target, _: UpstreamFault(target, "redirected to an unusable address"),
    ),
    (
        (aiohttp.ClientError, OSError),
        lambda target, _: UpstreamFault(target, "broke the connection"),
    ),
]


def _connect_problem(error: OSError) -> str:
    if isinstance(error, AddressBlocked) or "is not a public address" in str(error):
        return "its address is not public"
    if isinstance(error, ConnectionRefusedError):
        return "it refused the connection"
    return "no connection could be made"
