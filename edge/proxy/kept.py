"""Answers with objects that are on disk, or on their way to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from edge.cache.disk import Changed
from edge.cache.disk_cache import DiskCache
from edge.cache.store import Entry
from edge.http import API_VERSION, Headers, RegistryError
from edge.proxy.buffers import buffer_for
from edge.proxy.downloads import DOWNLOADS
from edge.proxy.exchange import Exchange
from edge.proxy.route import Kind
from edge.proxy.stream import MAX_BUFFERED_BLOB_BYTES, stream
from oci.errors import ErrorCode
from oci.range import bounds

STALE = ("Warning", '110 - "Response is Stale"')


async def send_entry(
    exchange: Exchange, cache: DiskCache, entry: Entry, *more: tuple[str, str]
) -> bool:
    """Answer with a kept object; return False if it changed before it was sent.

    Raises:
        RegistryError: 416 for a range outside the object.
    """
    exchange.request.is_hit = True
    try:
        await _send_entry(exchange, cache, entry, *more)
    except OSError:
        if exchange.request.started:
            raise
        exchange.request.is_hit = False
    return exchange.request.is_hit


async def _send_entry(
    exchange: Exchange, cache: DiskCache, entry: Entry, *more: tuple[str, str]
) -> None:
    """Answer with a kept object, or the range of it that the client wants.

    Raises:
        RegistryError: 416 for a range outside the object.
        OSError: the disk failed, or the object has changed; nothing was passed on.
    """
    request = exchange.request
    headers = [*object_headers(entry.digest, entry.media_type), *more]
    if _is_known(exchange, entry.digest):
        await request.start(304, headers)
        await request.send_chunk(b"", more=False)
        return
    if request.method == "HEAD":
        await request.start(200, [*headers, ("Content-Length", str(entry.size))])
        await request.send_chunk(b"", more=False)
        return
    span = _wanted(exchange, entry)
    begin, end = span or (0, entry.size)
    if span:
        headers.append(("Content-Range", f"bytes {begin}-{end - 1}/{entry.size}"))
    pieces = unchanged(cache.pieces(entry, begin, end), entry, end - begin)
    await send_pieces(exchange, 206 if span else 200, headers, pieces, end - begin)


async def send_pieces(
    exchange: Exchange,
    status: int,
    headers: Headers,
    pieces: AsyncGenerator[bytes],
    size: int | None,
) -> None:
    """Send an object's bytes; small ones whole, so that a failure is a sentence."""
    request, subject = exchange.request, exchange.allowed.subject
    is_blob = exchange.route.kind is Kind.BLOBS
    if not is_blob or (size is not None and size <= MAX_BUFFERED_BLOB_BYTES):
        with buffer_for(subject) as buffer:
            parts = []
            async with aclosing(pieces):
                async for piece in pieces:
                    buffer.grow(len(piece))
                    parts.append(piece)
            await request.answer(status, headers, b"".join(parts))
        return
    length = [] if size is None else [("Content-Length", str(size))]
    with DOWNLOADS.use(subject):
        await request.start(status, [*headers, *length])
        await stream(request, pieces, exchange.is_still_allowed)


def object_headers(digest: str, media_type: str) -> Headers:
    return [
        API_VERSION,
        ("Content-Type", media_type),
        ("Docker-Content-Digest", digest),
        ("ETag", f'"{digest}"'),
        ("Accept-Ranges", "bytes"),
    ]


def _is_known(exchange: Exchange, digest: str) -> bool:
    return f'"{digest}"' in exchange.request.header("if-none-match")


def _wanted(exchange: Exchange, entry: Entry) -> tuple[int, int] | None:
    """Return where the wanted range begins and ends; None for the whole object."""
    wanted = exchange.headers.get("Range")
    condition = exchange.request.header("if-range")
    if not wanted or condition not in {"", f'"{entry.digest}"'}:
        return None
    span = bounds(wanted, entry.size)
    if span is None:
        raise RegistryError(
            416,
            ErrorCode.RANGE_INVALID,
            "The range is outside the blob.",
            headers=[("Content-Range", f"bytes */{entry.size}")],
        )
    return span


async def unchanged(
    pieces: AsyncGenerator[bytes], entry: Entry, size: int
) -> AsyncGenerator[bytes]:
    """Return bytes of a file, and the last ones if nobody wrote to it until then."""
    async with aclosing(pieces):
        async for piece in pieces:
            size -= len(piece)
            if size == 0 and not entry.is_unchanged:
                raise Changed
            yield piece
