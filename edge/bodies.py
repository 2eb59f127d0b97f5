"""Bodies from upstreams, as they arrive: not too large, not too slow, and right."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic

import aiohttp
from django.conf import settings

# An upstream that is slower, over the time allowed for a read, counts as one that does
# not answer.
MIN_BYTES_PER_SECOND = 1024


class BodyBroke(Exception):  # noqa: N818 -- states the fact
    """A body ended early, is too large, too slow, or not what its digest promises."""


class TooLate(BodyBroke):
    """It did not arrive in time."""


class WrongBytes(BodyBroke):
    def __init__(self) -> None:
        super().__init__("sent other bytes than the digest promises")


def as_broken(error: BaseException) -> BodyBroke:
    """Return what happened to a body, as the end of a sentence about its upstream."""
    if isinstance(error, BodyBroke):
        return error
    if isinstance(error, TimeoutError):
        return TooLate("did not send all of its answer in time")
    return BodyBroke("broke off its answer")


async def body_of(
    response: aiohttp.ClientResponse, limit: int
) -> AsyncGenerator[bytes]:
    """Return an upstream's body as it arrives.

    Raises:
        BodyBroke: it is larger than ``limit`` bytes, or too slow.
        aiohttp.ClientError, OSError: it ended early.
    """
    size = 0
    pace = _Pace()
    pace.start_waiting()
    async for chunk in response.content.iter_any():
        size += len(chunk)
        pace.check(len(chunk))
        if size > limit:
            raise BodyBroke(f"sent more than {limit} bytes")
        yield chunk
        pace.start_waiting()


async def verified(pieces: AsyncGenerator[bytes], digest: str) -> AsyncGenerator[bytes]:
    """Return a body, but its last piece only if all are what a digest promises.

    Raises:
        WrongBytes: they are not.
    """
    algorithm, _, encoded = digest.partition(":")
    hashed = hashlib.new(algorithm)
    held = b""
    async with aclosing(pieces):
        async for piece in pieces:
            hashed.update(piece)
            if held:
                yield held
            held = piece
    if hashed.hexdigest() != encoded:
        raise WrongBytes
    yield held


def check_digest(body: bytes, digest: str) -> None:
    """Raise WrongBytes if a body is not what a digest promises; "" promises nothing."""
    algorithm, _, encoded = digest.partition(":")
    if digest and hashlib.new(algorithm, body).hexdigest() != encoded:
        raise WrongBytes


class _Pace:
    """Detects a slow upstream. Time spent waiting for the client does not count."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._received = 0
        self._since = monotonic()

    def start_waiting(self) -> None:
        self._since = monotonic()

    def check(self, received: int) -> None:
        """Count received bytes; raises BodyBroke if they arrive too slowly."""
        now = monotonic()
        self._waited += now - self._since
        self._since = now
        self._received += received
        if self._waited >= settings.BERTH_UPSTREAM_READ_SECONDS:
            if self._received < self._waited * MIN_BYTES_PER_SECOND:
                raise BodyBroke("sent its bytes too slowly")
            self._waited, self._received = 0.0, 0
