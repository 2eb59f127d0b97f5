"""Requests as clients send them, and what went wrong with them in words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from portal.outbound import Failure, certificate_problem, failure_of

CONNECT_SECONDS = 5
LIMITS = aiohttp.ClientTimeout(total=15, sock_connect=CONNECT_SECONDS)


class NoAnswer(Exception):  # noqa: N818 -- states the fact
    """A server did not answer; the text says why, as the end of a sentence."""

    def __init__(self, text: str, failure: Failure | None) -> None:
        super().__init__(text)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]


_WORDS = {
    Failure.TIMEOUT: "does not answer in time",
    Failure.NAME_NOT_RESOLVED: "has no address in DNS",
    Failure.REFUSED: "refuses connections",
    Failure.NO_TLS: "does not speak TLS",
    Failure.BAD_ADDRESS: "is no address",
}


async def ask(session: aiohttp.ClientSession, url: str, token: str = "") -> Answer:
    """Send a GET, with a registry token or without; follow no redirect.

    Raises:
        NoAnswer: there was none.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            return Answer(response.status, response.headers)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        failure = failure_of(error)
        raise NoAnswer(_words(error, failure), failure) from error


def _words(error: Exception, failure: Failure | None) -> str:
    if failure is Failure.BAD_CERTIFICATE:
        return f"has a certificate that clients refuse: {certificate_problem(error)}"
    return _WORDS.get(failure, "cannot be reached") if failure else "broke off"


async def certificate_end(url: str) -> datetime | None:
    """Return when a server's certificate ends; None without TLS, or if it is away.

    A connection of its own, because that of an answer is often closed with it.
    """
    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        return None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                address.hostname, address.port or 443, ssl=ssl.create_default_context()
            )
    except OSError:
        return None
    certificate = writer.get_extra_info("peercert")
    writer.close()
    seconds = ssl.cert_time_to_seconds(certificate["notAfter"])
    return datetime.fromtimestamp(seconds, UTC)
