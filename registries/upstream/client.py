"""The client for external registries: signing in, redirects, timeouts, errors.

Every connection passes the address guard. A credential is sent to the registry itself
or to a trusted realm, never along a redirect to another host.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from cachetools import LRUCache
from django.conf import settings
from yarl import URL

from oci.challenge import Challenge, parse_challenges
from oci.reference import parse_registry_host
from portal.expiring_cache import ExpiringCache
from portal.outbound import outbound_session
from registries.providers import LoginNotMade
from registries.upstream.errors import (
    CredentialRejected,
    RealmNotTrusted,
    RepositoryDenied,
    UpstreamFault,
    UpstreamRateLimited,
)
from registries.upstream.realm_trust import authority, is_trusted_realm
from registries.upstream.target import UpstreamTarget
from registries.upstream.tokens import read_token, renewed_early
from registries.upstream.translation import login_not_made, translate

MAX_REDIRECTS = 5
# Renew a refused login at most this often: the repository may be the reason.
LOGIN_SECONDS = 60
MAX_TOKEN_RESPONSE_BYTES = 64 * 1024
# Separate from the threads that resolve names: providers may be slow.
_LOGIN_THREADS = ThreadPoolExecutor(8, thread_name_prefix="login")


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One request to a registry: ``scope`` is what a token for it must cover."""

    method: str
    path: str
    scope: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _SignIn:
    """How to sign in to a registry, according to its challenge."""

    scheme: str
    realm: str = ""
    service: str = ""


@asynccontextmanager
async def upstream_client(
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[UpstreamClient]:
    """Open a client with its own connection pool, for one event loop.

    ``tls`` replaces the system's certificate authorities.
    """
    timeout = aiohttp.ClientTimeout(
        total=None,
        sock_connect=settings.BERTH_UPSTREAM_CONNECT_SECONDS,
        sock_read=settings.BERTH_UPSTREAM_READ_SECONDS,
    )
    async with outbound_session(timeout, resolver=resolver, tls=tls) as session:
        yield UpstreamClient(session)


class UpstreamClient:
    """Sends requests to external registries, signed in with the vendor's credential."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._sign_ins: LRUCache[tuple[object, ...], _SignIn] = LRUCache(10_000)
        self._authorizations: ExpiringCache[tuple[object, ...], str] = ExpiringCache(
            max_entries=10_000
        )
        self._logins: ExpiringCache[uuid.UUID, str] = ExpiringCache(max_entries=10_000)

    async def open(
        self,
        target: UpstreamTarget,
        request: UpstreamRequest,
        *,
        preemptive_basic: bool = False,
    ) -> aiohttp.ClientResponse:
        """Send a request, sign in if asked to, and return the open response.

        ``preemptive_basic`` sends the credential before the registry asks for it.

        The caller reads the body and releases or closes the response, whose status is
        never 401, 403 or 429.

        Raises:
            CredentialRejected: the registry or its token service refused to sign in.
            RepositoryDenied: signed in, but this account may not read the repository.
            RealmNotTrusted: the registry names a token service that is not trusted.
            UpstreamRateLimited: 429, with how long to wait if it said so.
            UpstreamUnreachable, UpstreamTimeout, UpstreamFault: no usable answer.
        """
        deadline = (
            settings.BERTH_UPSTREAM_CONNECT_SECONDS
            + settings.BERTH_UPSTREAM_READ_SECONDS
        )
        with _translated_errors(target):
            # The session's timeouts limit each read, but not the whole response.
            async with asyncio.timeout(deadline):
                return await self._open(target, request, preemptive_basic)

    async def _open(
        self, target: UpstreamTarget, request: UpstreamRequest, preemptive_basic: bool
    ) -> aiohttp.ClientResponse:
        key = _sign_in_key(target, request.scope)
        sign_in = self._sign_ins.get(key)
        if sign_in is None and preemptive_basic:
            sign_in = _SignIn("basic")
        response = await self._send_signed(target, request, sign_in)
        if response.status == 401:
            self._forget(target, request.scope, sign_in)
            if sign_in == _SignIn("basic"):
                self._logins.forget(target.credential_id)
            sign_in = _choose(_challenges(response), target)
            response.close()
            response = await self._send_signed(target, request, sign_in)
        if response.status in {401, 403}:
            # The token's rights can change upstream; the next pull asks again.
            self._forget(target, request.scope, sign_in)
        elif sign_in is not None:
            self._sign_ins[key] = sign_in
        if response.status == 401 and sign_in == _SignIn("basic"):
            response.close()
            raise CredentialRejected(target)
        return _usable(response, target)

    async def _send_signed(
        self, target: UpstreamTarget, request: UpstreamRequest, sign_in: _SignIn | None
    ) -> aiohttp.ClientResponse:
        authorization = await self._authorization(target, sign_in, request.scope)
        return await self._send(target, request, authorization)

    def _forget(
        self, target: UpstreamTarget, scope: str, sign_in: _SignIn | None
    ) -> None:
        if sign_in is not None:
            self._sign_ins.pop(_sign_in_key(target, scope), None)
            self._authorizations.forget(_token_key(target, sign_in, scope))
            # ECR answers 403 for an expired password as well as for a repository.
            self._logins.forget(target.credential_id, if_older_than=LOGIN_SECONDS)

    async def _authorization(
        self, target: UpstreamTarget, sign_in: _SignIn | None, scope: str
    ) -> str | None:
        if sign_in is None:
            return None
        if sign_in.scheme == "basic":
            return await self._basic(target)

        async def load() -> tuple[str, float]:
            return await self._fetch_token(target, sign_in, scope)

        return await self._authorizations.get(_token_key(target, sign_in, scope), load)

    async def _basic(self, target: UpstreamTarget) -> str:
        make = target.make_login
        if make is None:
            return _basic(target.username.reveal(), target.secret.reveal())

        async def load() -> tuple[str, float]:
            try:
                # The providers' libraries block.
                login = await asyncio.get_running_loop().run_in_executor(
                    _LOGIN_THREADS, make, target.stored_login
                )
            except LoginNotMade as error:
                raise login_not_made(error, target) from error
            basic = _basic(login.username, login.password.reveal())
            return basic, renewed_early(login.seconds)

        return await self._logins.get(target.credential_id, load)

    async def _fetch_token(
        self, target: UpstreamTarget, sign_in: _SignIn, scope: str
    ) -> tuple[str, float]:
        query = {"service": sign_in.service} if sign_in.service else {}
        if scope:
            query["scope"] = scope
        url = URL(sign_in.realm).update_query(query)
        basic = await self._basic(target)
        headers = {"Accept": "application/json", "Authorization": basic}
        with _translated_errors(target):
            # Other requests wait for this token too, so it has its own deadline.
            async with (
                asyncio.timeout(settings.BERTH_UPSTREAM_READ_SECONDS),
                self._session.get(
                    url, headers=headers, allow_redirects=False
                ) as response,
            ):
                if response.status == 403 and scope:
                    # GitLab and Google refuse a repository with 403, a login with 401.
                    raise RepositoryDenied(target, response.status)
                if response.status in {400, 401, 403}:
                    raise CredentialRejected(target, response.status)
                _usable(response, target)
                body = await _read_up_to(response, MAX_TOKEN_RESPONSE_BYTES)
                return read_token(response.status, body, target)

    async def _send(
        self,
        target: UpstreamTarget,
        request: UpstreamRequest,
        authorization: str | None,
    ) -> aiohttp.ClientResponse:
        """Follow redirects by hand, so that no other host gets the credential."""
        url = URL(target.base_url + request.path, encoded=True)
        headers = dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        for _ in range(MAX_REDIRECTS + 1):
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


def _sign_in_key(target: UpstreamTarget, scope: str) -> tuple[object, ...]:
    # The realms are included so that a realm that loses its trust is forgotten.
    return (target.credential_id, target.api_host, target.realm_hosts, scope)


async def _read_up_to(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    while len(body) < limit and (part := await response.content.read(limit)):
        body += part
    return bytes(body)


def _token_key(
    target: UpstreamTarget, sign_in: _SignIn, scope: str
) -> tuple[object, ...]:
    return (target.credential_id, sign_in.realm, sign_in.service, scope)


def _basic(username: str, password: str) -> str:
    pair = f"{username}:{password}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _challenges(response: aiohttp.ClientResponse) -> list[Challenge]:
    return parse_challenges(response.headers.getall("WWW-Authenticate", []))


def _choose(challenges: list[Challenge], target: UpstreamTarget) -> _SignIn:
    """Pick a challenge to answer: Bearer before Basic.

    Raises:
        RealmNotTrusted: the Bearer realm is not trusted with a credential.
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


def _redirect(url: URL, location: str, target: UpstreamTarget) -> URL:
    try:
        following = url.join(URL(location, encoded=True))
        parse_registry_host(authority(following))
        if following.user is not None or following.password is not None:
            raise ValueError("credentials in a URL")  # noqa: TRY301 -- raised below
    except ValueError as error:
        raise UpstreamFault(target, "redirected to an unusable address") from error
    is_plain = authority(following) in settings.BERTH_INSECURE_REGISTRIES
    if following.scheme != "https" and not (following.scheme == "http" and is_plain):
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


@contextmanager
def _translated_errors(target: UpstreamTarget) -> Iterator[None]:
    """Raise the HTTP client's exceptions as upstream errors."""
    try:
        yield
    except Exception as error:
        if (translated := translate(error, target)) is None:
            raise
        raise translated from error
