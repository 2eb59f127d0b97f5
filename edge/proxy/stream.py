"""Passes an upstream's answer on: exact headers, and bytes as they arrive.

Memory does not grow with the size of a blob: the edge reads no faster than the client,
and that slows the upstream down. A client that disconnects closes the upstream, and so
does a revocation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import NamedTuple

import aiohttp
from django.conf import settings

from edge.bodies import BodyBroke, as_broken, body_of, check_digest, verified
from edge.connections import STALL_SECONDS
from edge.http import API_VERSION, ClientGone, Headers, RegistryError, Request
from edge.proxy.buffers import Buffer, buffer_for
from edge.proxy.downloads import DOWNLOADS
from edge.proxy.lists import next_page, renamed
from edge.proxy.route import Kind, Route
from edge.proxy.watch import StillAllowed, until_denied
from edge.pull_counter import STALE_WARNING
from oci.errors import ErrorCode
from registries.decision.credentials import Subject

logger = logging.getLogger(__name__)

# distribution-spec, "Pushing Manifests": registries should take manifests of 4 MB.
MAX_DOCUMENT_BYTES = 8 * 2**20
# Most registries send at most 1,000 tags in a page, and Distribution 2 sends all tags.
# 12,000 tags of 40 characters fit. Reading a list takes the event loop up to 25 ms.
MAX_TAGS_BYTES = 512 * 1024
# Smaller answers are read whole before their first byte is passed on, so that the
# client reads a sentence if the upstream breaks off.
MAX_BUFFERED_BLOB_BYTES = 64 * 1024

_PASSED_BACK = (
    "Content-Type",
    "Content-Encoding",
    "Content-Range",
    "Accept-Ranges",
    "Docker-Content-Digest",
    "ETag",
    "Last-Modified",
    "OCI-Filters-Applied",
    "OCI-Subject",
    "Warning",
)


class Whole(NamedTuple):
    """An answer of 200 that was read whole, as it was passed on.

    Its bytes are what ``digest`` promises; "" if nothing was promised.
    """

    headers: Headers
    body: bytes
    digest: str


async def relay(
    request: Request,
    response: aiohttp.ClientResponse,
    route: Route,
    subject: Subject,
    still_allowed: StillAllowed,
    digest: str = "",
) -> Whole | None:
    """Pass a successful answer on; return it if it was read whole.

    ``still_allowed`` decides about a stream again and again, and may end it. With a
    ``digest``, no answer that differs from it is ever finished.

    Raises:
        BodyBroke: an answer that is read whole broke off, or differs from the digest;
            nothing was passed on.
        RegistryError: it is too large.
        ShareExceeded: too many bytes are in memory, or too many blobs are streamed, of
            this subject or of all.
        ClientGone: the client disconnected, or read nothing in time.
    """
    headers = _headers(response, route)
    if response.status == 304:
        await request.start(304, headers)
        await request.send_chunk(b"", more=False)
    elif request.method == "HEAD":
        length = [] if route.kind is Kind.TAGS else _length(response)
        await request.start(response.status, [*headers, *length])
        await request.send_chunk(b"", more=False)
    elif _is_small(response, route):
        with buffer_for(subject) as buffer:
            body = await _read_whole(response, buffer, route)
            check_digest(body, digest)
            if route.kind is Kind.TAGS:
                body = renamed(body, route)
            await request.answer(response.status, headers, body)
        return Whole(headers, body, digest) if response.status == 200 else None
    else:
        pieces = body_of(response, settings.BERTH_MAX_BLOB_BYTES)
        pieces = verified(pieces, digest) if digest else pieces
        with DOWNLOADS.use(subject):
            await request.start(response.status, [*headers, *_length(response)])
            await stream(request, pieces, still_allowed)
    return None


def _is_small(response: aiohttp.ClientResponse, route: Route) -> bool:
    if route.kind is not Kind.BLOBS:
        return True
    length = declared_length(response)
    return length is not None and length <= MAX_BUFFERED_BLOB_BYTES


def _headers(response: aiohttp.ClientResponse, route: Route) -> Headers:
    # That an answer is stale is the edge's own to say, and is counted.
    headers = [API_VERSION]
    for name in _PASSED_BACK:
        headers += [
            (name, value)
            for value in response.headers.getall(name, ())
            if value.isascii()
            and value.isprintable()
            and not (name == "Warning" and value.lstrip().startswith(STALE_WARNING))
        ]
    headers += next_page(response, route)
    return headers


def _length(response: aiohttp.ClientResponse) -> Headers:
    length = declared_length(response)
    return [("Content-Length", str(length))] if length is not None else []


def declared_length(response: aiohttp.ClientResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


async def _read_whole(
    response: aiohttp.ClientResponse, buffer: Buffer, route: Route
) -> bytes:
    try:
        async with asyncio.timeout(settings.BERTH_UPSTREAM_READ_SECONDS * 2):
            return await _read_document(response, buffer, route)
    except (aiohttp.ClientError, OSError) as error:
        raise as_broken(error) from error


async def _read_document(
    response: aiohttp.ClientResponse, buffer: Buffer, route: Route
) -> bytes:
    limit = MAX_TAGS_BYTES if route.kind is Kind.TAGS else MAX_DOCUMENT_BYTES
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        buffer.grow(len(part))
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(route, limit)
    return b"".join(parts)


def _too_large(route: Route, limit: int) -> RegistryError:
    is_tags = route.kind is Kind.TAGS
    advice = "Ask for a page of it with ?n=1000, or contact" if is_tags else "Contact"
    return RegistryError(
        502,
        ErrorCode.UNAVAILABLE,
        f"The registry of {route.name.upstream} sent more than {limit} bytes of "
        f"{route.kind}. {advice} your vendor.",
    )


async def stream(
    request: Request, pieces: AsyncGenerator[bytes], still_allowed: StillAllowed
) -> None:
    """Send a body whose headers were sent; break off if it cannot be finished.

    Raises:
        ClientGone: the client disconnected, or read nothing in time.
    """
    leaving = asyncio.ensure_future(_wait_for_disconnect(request))
    watching = asyncio.ensure_future(until_denied(still_allowed))
    try:
        async with aclosing(pieces):
            await _send_until(request, pieces, (leaving, watching))
    except (BodyBroke, aiohttp.ClientError, OSError) as error:
        if leaving.done():
            raise ClientGone from error
        # The headers are sent, so all that remains is to break off too: the client
        # sees an incomplete body, retries, and reads why if it was denied.
        reason = "denied" if watching.done() else str(error) or type(error).__name__
        logger.warning("A body broke off: %s", reason)
    finally:
        leaving.cancel()
        watching.cancel()


async def _send_until(
    request: Request,
    pieces: AsyncGenerator[bytes],
    ends: tuple[asyncio.Future[None], ...],
) -> None:
    """Send a body; raises TimeoutError once one of ``ends`` is done.

    That interrupts waiting for a slow client or upstream as well.
    """
    async with asyncio.timeout(None) as limit:

        def end(_: asyncio.Future[None]) -> None:
            # It may have ended in the same turn of the event loop.
            with suppress(RuntimeError):
                limit.reschedule(0)

        for reason in ends:
            reason.add_done_callback(end)
        try:
            async for piece in pieces:
                await request.send_in_time(piece, STALL_SECONDS)
            await request.send_in_time(b"", STALL_SECONDS, more=False)
        finally:
            for reason in ends:
                reason.remove_done_callback(end)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
