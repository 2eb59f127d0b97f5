"""Outbound HTTP: one way to open a session, and one reading of what goes wrong."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto

import aiohttp
from aiohttp.abc import AbstractResolver
from django.conf import settings

from portal.address_guard import AddressBlocked, AddressGuard

USER_AGENT = "Berth/0.1"
CLOSE_SECONDS = 1.0


class Failure(Enum):
    """Why a request got no answer."""

    TIMEOUT = auto()
    NAME_NOT_RESOLVED = auto()
    ADDRESS_NOT_PUBLIC = auto()
    REFUSED = auto()
    NO_CONNECTION = auto()
    BAD_CERTIFICATE = auto()
    NO_TLS = auto()
    BAD_ADDRESS = auto()
    CONNECTION_BROKE = auto()


class _HttpConnector(aiohttp.TCPConnector):
    """Refuses ws:// and wss://, for which aiohttp would send a GET like any other."""

    allowed_protocol_schema_set = frozenset({"http", "https"})


@asynccontextmanager
async def outbound_session(
    limits: aiohttp.ClientTimeout,
    *,
    guarded: bool = True,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session with its own connection pool, for one event loop.

    It keeps no cookies and asks for no content coding, so bodies arrive byte for byte.
    Every connection passes the address guard; ``guarded=False`` is for an address that
    the operator configured, never for one that a vendor chose. ``tls`` replaces the
    system's certificate authorities.
    """
    guard = AddressGuard(settings.BERTH_ALLOWED_PRIVATE_NETWORKS) if guarded else None
    connector = _HttpConnector(
        resolver=resolver,
        ssl=tls or True,
        limit=0,
        ttl_dns_cache=30,
        socket_factory=guard,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=2**18,
        skip_auto_headers={"Accept"},
        timeout=limits,
    ) as session:
        yield session
    if guard:
        await guard.all_closed(CLOSE_SECONDS)


def failure_of(error: BaseException) -> Failure | None:
    """Return what an exception of the HTTP client means; None for any other."""
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, aiohttp.ClientSSLError):
        is_certificate = certificate_problem(error) is not None
        return Failure.BAD_CERTIFICATE if is_certificate else Failure.NO_TLS
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connect_failure(error)
    if isinstance(error, ValueError | aiohttp.NonHttpUrlClientError):
        return Failure.BAD_ADDRESS
    is_broken = isinstance(error, aiohttp.ClientError | OSError)
    return Failure.CONNECTION_BROKE if is_broken else None


def _connect_failure(error: aiohttp.ClientConnectorError) -> Failure:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure.NAME_NOT_RESOLVED
    if isinstance(error.os_error, AddressBlocked):
        return Failure.ADDRESS_NOT_PUBLIC
    if isinstance(error.os_error, ConnectionRefusedError):
        return Failure.REFUSED
    return Failure.NO_CONNECTION


def certificate_problem(error: BaseException) -> str | None:
    """Return what is wrong with a server's certificate; None if that is not it."""
    cause = getattr(error, "certificate_error", None) or getattr(
        error, "os_error", None
    )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message.rstrip(".")
    return None
