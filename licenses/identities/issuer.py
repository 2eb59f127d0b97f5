"""Reads an issuer's keys (OpenID Connect Discovery 1.0, section 4)."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import aiohttp

from licenses.identities.key_sets import MAX_BYTES, KeySetInvalid, parse_key_set
from licenses.identities.rules import GOOGLE_ISSUER
from oci.strict_json import parse_json
from portal.outbound import Failure, failure_of, outbound_session

# For both answers together: somebody's login waits.
SECONDS = 4
MAX_ADDRESS_LENGTH = 2000
# Of other issuers, the keys are where the issuer is.
_KEYS_ELSEWHERE = {GOOGLE_ISSUER: "https://www.googleapis.com"}
_FAILURES = {
    Failure.TIMEOUT: f"did not answer within {SECONDS} seconds",
    Failure.NAME_NOT_RESOLVED: "has a name that does not resolve",
    Failure.ADDRESS_NOT_PUBLIC: "has an address that is not public",
    Failure.REFUSED: "refused the connection",
    Failure.BAD_CERTIFICATE: "has a TLS certificate that is not valid",
    Failure.NO_TLS: "does not speak TLS",
}


class IssuerUnavailable(Exception):  # noqa: N818 -- states the fact
    """An issuer's keys cannot be read; the message says why, in a sentence."""


async def read_issuer_keys(issuer: str, *, tls: ssl.SSLContext | None = None) -> str:
    """Return the issuer's current key set, as text that ``parse_key_set`` accepts.

    No redirect is followed. ``tls`` replaces the system's certificate authorities.

    Raises:
        IssuerUnavailable: it is away, slow, or answers with something else.
    """
    limits = aiohttp.ClientTimeout(total=SECONDS)
    async with outbound_session(limits, tls=tls) as http:
        # Not raised in here, so that the session waits until its sockets are closed.
        result = await _attempt(http, issuer)
    if isinstance(result, IssuerUnavailable):
        raise result
    return result


async def _attempt(http: aiohttp.ClientSession, issuer: str) -> str | IssuerUnavailable:
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(http, issuer)
    except IssuerUnavailable as error:
        return error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        failure = failure_of(error) or Failure.CONNECTION_BROKE
        what = _FAILURES.get(failure, "broke the connection")
        return IssuerUnavailable(f"{issuer} {what}.")


async def _read(http: aiohttp.ClientSession, issuer: str) -> str:
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = _document(await _get(http, address), address)
    if document.get("issuer") != issuer:
        raise IssuerUnavailable(f"{address} is of another issuer.")
    keys_at = document.get("jwks_uri")
    if not _is_address(keys_at) or _origin(keys_at) != _keys_origin(issuer):
        raise IssuerUnavailable(
            f"{address} names no keys (jwks_uri) on the issuer's own host. Upload the "
            "key set."
        )
    text = (await _get(http, keys_at)).decode("utf-8", "replace")
    try:
        parse_key_set(text)
    except KeySetInvalid as error:
        raise IssuerUnavailable(f"{keys_at}: {error}") from error
    return text


async def _get(http: aiohttp.ClientSession, address: str) -> bytes:
    accepted = {"Accept": "application/json"}
    async with http.get(address, headers=accepted, allow_redirects=False) as response:
        if 300 <= response.status < 400:
            raise IssuerUnavailable(f"{address} redirects, which is not followed.")
        if response.status != 200:
            raise IssuerUnavailable(f"{address} answered with {response.status}.")
        content = b""
        async for part in response.content.iter_any():
            content += part
            if len(content) > MAX_BYTES:
                size = MAX_BYTES // 1024
                raise IssuerUnavailable(f"{address} sent more than {size} KB.")
        return content


def _document(content: bytes, address: str) -> dict[str, Any]:
    try:
        members = parse_json(content)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise IssuerUnavailable(f"{address} did not answer with a JSON object.")
    return members


def _is_address(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) <= MAX_ADDRESS_LENGTH
        and value.isascii()
        and value.isprintable()
    )


def _keys_origin(issuer: str) -> str:
    return _KEYS_ELSEWHERE.get(issuer, _origin(issuer))


def _origin(address: str) -> str:
    """Return scheme, host and port; "" for what is no https address."""
    try:
        parts = urlsplit(address)
        port = parts.port or 443
    except ValueError:
        return ""
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        return ""
    return f"https://{parts.hostname.lower()}" + (f":{port}" if port != 443 else "")
