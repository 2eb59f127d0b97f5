"""Manifests by tag: confirmed by the upstream, then sent from disk if they are there.

HEAD says what a tag means now, and costs registries little. While the upstream is down,
the last answer serves for a while, marked as stale.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import aiohttp
from django.conf import settings

from edge.cache.disk_cache import DiskCache
from edge.cache.place import place_of
from edge.cache.store import EXTENSIONS, Entry
from edge.cache.tags import (
    CONFIRM_SECONDS,
    MAX_RECENT_BYTES,
    RecentTag,
    TagKey,
    TagRecord,
)
from edge.http import RegistryError
from edge.proxy.exchange import Exchange
from edge.proxy.kept import STALE, object_headers, send_entry, unchanged
from edge.proxy.objects import kept_type, object_key
from edge.proxy.refusals import refusal
from edge.proxy.stream import declared_length
from oci.digest import MalformedDigest, parse_digest
from registries.upstream.errors import UpstreamError, UpstreamTimeout

logger = logging.getLogger(__name__)
# No client waits longer for the first byte where a last answer can serve.
PATIENCE_SECONDS = 5.0
# Sends a tag's last manifest, with more headers; returns False if it cannot be read.
_SendLast = Callable[..., Awaitable[bool]]


class _Down(Exception):  # noqa: N818 -- states the fact
    """The upstream gave no whole answer about the tag; ``error`` says what it did."""

    def __init__(self, error: UpstreamError | RegistryError) -> None:
        super().__init__(str(error))
        self.error = error


async def answer_tag(exchange: Exchange) -> None:
    """Answer a request for a manifest by tag.

    Raises:
        UpstreamError, RegistryError: the upstream refused, or it is down and no last
            answer may serve.
    """
    cache = exchange.services.cache
    if cache is None:
        await exchange.ask()
        return
    try:
        await _answer(exchange, cache)
    except _Down as down:
        raise down.error from down


async def _answer(exchange: Exchange, cache: DiskCache) -> None:
    # A rollout asks often: what was confirmed a moment ago is not read from disk.
    recent = cache.recent_tags.get(_tag_key(exchange)) if exchange.wants_all else None
    if recent is not None:
        send_recent = partial(_send_recent, exchange, recent)
        await _answer_again(exchange, cache, recent.record, send_recent)
        return
    last = await cache.find_tagged(*_tag_key(exchange))
    if last is None:
        await _ask(exchange, cache)
        return
    record, entry = last
    with entry:
        send_kept = partial(send_entry, exchange, cache, entry)
        is_same = await _answer_again(exchange, cache, record, send_kept)
        if is_same and record.age > CONFIRM_SECONDS:
            record = record._replace(verified_at=time.time())
            await _remember(exchange, cache, record, entry)
            await _keep(exchange, cache, record)


def _tag_key(exchange: Exchange) -> TagKey:
    return place_of(exchange.allowed), exchange.route.reference


async def _send_recent(
    exchange: Exchange, recent: RecentTag, *more: tuple[str, str]
) -> bool:
    record = recent.record
    headers = [*object_headers(record.digest, record.media_type), *more]
    exchange.request.is_hit = True
    await exchange.request.answer(200, headers, recent.body)
    return True


async def _answer_again(
    exchange: Exchange, cache: DiskCache, record: TagRecord, send: _SendLast
) -> bool:
    """Answer a request for a tag whose last manifest ``send`` can send; raises _Down.

    Returns whether that manifest was sent because the tag still means the same.
    """
    # Decided before the upstream is asked, which takes its time.
    may_serve = _may_serve(exchange, record)
    patience = PATIENCE_SECONDS if may_serve else None
    try:
        if exchange.wants_all:
            if not await _is_confirmed(exchange, record, patience):
                cache.recent_tags.pop(_tag_key(exchange), None)
            elif await send():
                return True
        await _ask(exchange, cache, patience)
    except _Down as down:
        if not (may_serve and await send(STALE)):
            raise
        logger.warning("A stale answer for %s: %s", exchange.route.name, down)
    return False


async def _is_confirmed(
    exchange: Exchange, record: TagRecord, patience: float | None
) -> bool:
    """Ask the upstream whether the tag still means the same; raises _Down."""
    response = await _open(exchange, "HEAD", patience)
    response.close()
    if response.status != 200 or _digest(response) != record.digest:
        return False
    exchange.note_success()
    return True


async def _ask(
    exchange: Exchange, cache: DiskCache, patience: float | None = None
) -> None:
    """Answer as the upstream does, and keep the answer; raises _Down."""
    response = await _open(exchange, exchange.request.method, patience)
    try:
        whole = await exchange.pass_on(response, _digest(response))
    except UpstreamError as error:
        # Manifests are read whole first, so nothing was passed on.
        raise _Down(error) from error
    finally:
        response.close()
    media_type = kept_type("manifests", response)
    if response.status != 200 or media_type is None or not _accepts_all(exchange):
        return
    digest, size = _digest(response), declared_length(response)
    if whole:
        digest = f"sha256:{hashlib.sha256(whole.body).hexdigest()}"
        size = len(whole.body)
        await cache.put(object_key(exchange, digest), media_type, whole.body)
    if digest.startswith("sha256:") and size is not None:
        record = TagRecord(digest, media_type, size, time.time())
        await _keep(exchange, cache, record)


def _accepts_all(exchange: Exchange) -> bool:
    """Return whether the answer would serve others too.

    A client that takes no index may get the manifest of one platform instead.
    """
    accept = exchange.headers["Accept"]
    return "*/*" in accept or all(kind in accept for kind in EXTENSIONS)


async def _keep(exchange: Exchange, cache: DiskCache, record: TagRecord) -> None:
    await cache.write_tag(*_tag_key(exchange), record)


async def _remember(
    exchange: Exchange, cache: DiskCache, record: TagRecord, entry: Entry
) -> None:
    if entry.size > MAX_RECENT_BYTES:
        return
    with suppress(OSError):
        pieces = unchanged(cache.pieces(entry, 0, entry.size), entry, entry.size)
        body = b"".join([piece async for piece in pieces])
        cache.recent_tags[_tag_key(exchange)] = RecentTag(record, body)


def _may_serve(exchange: Exchange, last: TagRecord) -> bool:
    accept = exchange.headers["Accept"]
    is_accepted = last.media_type in accept or "*/*" in accept
    return is_accepted and last.age < settings.BERTH_STALE_TAG_SECONDS


async def _open(
    exchange: Exchange, method: str, patience: float | None
) -> aiohttp.ClientResponse:
    """Ask the upstream; raises _Down if it does not answer for now."""
    try:
        async with asyncio.timeout(patience):
            response = await exchange.open(method)
    except TimeoutError as error:
        raise _Down(UpstreamTimeout(exchange.target)) from error
    except UpstreamError as error:
        if error.is_outage:
            raise _Down(error) from error
        raise
    if response.status < 500:
        return response
    try:
        raise _Down(
            await refusal(response, exchange.route, exchange.allowed.repository)
        )
    finally:
        response.close()


def _digest(response: aiohttp.ClientResponse) -> str:
    """Return the digest that the upstream names, or "" without a usable one."""
    try:
        return parse_digest(response.headers.get("Docker-Content-Digest", ""))
    except MalformedDigest:
        return ""
