"""Blobs and manifests by digest: from disk, or fetched once for all who wait."""

from __future__ import annotations

import asyncio

import aiohttp
from django.conf import settings

from edge.bodies import BodyBroke, body_of
from edge.cache.disk_cache import DiskCache
from edge.cache.fetch import DiskFailed, Fetch
from edge.cache.place import place_of
from edge.cache.store import BLOB_TYPE, EXTENSIONS, ObjectKey, ObjectKind
from edge.proxy.exchange import Exchange
from edge.proxy.kept import object_headers, send_entry, send_pieces
from edge.proxy.route import Kind
from edge.proxy.small_objects import is_worth_keeping, small_object_key
from edge.proxy.stream import MAX_DOCUMENT_BYTES, Whole, declared_length


async def answer_object(exchange: Exchange) -> None:
    """Answer a request for a blob or a manifest by digest; raises UpstreamError."""
    cache = exchange.services.cache
    if cache is None:
        if not await _answer_from_memory(exchange):
            _remember(exchange, await exchange.ask(exchange.route.reference))
        return
    key = object_key(exchange, exchange.route.reference)
    is_fetchable = key.is_kept and exchange.wants_all
    # Before the disk is asked: a fetch that ends just then is found neither here nor
    # there.
    if is_fetchable and cache.fetches.under_way(key):
        await _answer_cold(exchange, cache, key)
        return
    if await _answer_from_disk(exchange, cache, key):
        return
    if await _answer_from_memory(exchange):
        return
    if is_fetchable:
        await _answer_cold(exchange, cache, key)
    else:
        _remember(exchange, await exchange.ask(key.digest))


def object_key(exchange: Exchange, digest: str) -> ObjectKey:
    kind: ObjectKind = "blobs" if exchange.route.kind is Kind.BLOBS else "manifests"
    return ObjectKey(place_of(exchange.allowed), kind, digest)


async def _answer_from_disk(
    exchange: Exchange, cache: DiskCache, key: ObjectKey
) -> bool:
    entry = await cache.find(key)
    if entry is None:
        return False
    with entry:
        return await send_entry(exchange, cache, entry)


async def _answer_from_memory(exchange: Exchange) -> bool:
    key = small_object_key(exchange.request, exchange.route, exchange.allowed)
    kept = exchange.services.small_objects.get(key) if key else None
    if kept is not None:
        await exchange.request.answer(200, kept.headers, kept.body)
    return kept is not None


def _remember(exchange: Exchange, whole: Whole | None) -> None:
    key = small_object_key(exchange.request, exchange.route, exchange.allowed)
    if key and whole and is_worth_keeping(whole, exchange.route.reference):
        exchange.services.small_objects[key] = whole


async def _answer_cold(exchange: Exchange, cache: DiskCache, key: ObjectKey) -> None:
    while under_way := cache.fetches.under_way(key):
        # The request that opens it has a deadline.
        fetch = await asyncio.shield(under_way)
        if fetch is None:
            _remember(exchange, await exchange.ask(key.digest))
            return
        if not fetch.is_over:
            await _follow(exchange, fetch)
            return
    with cache.fetches.opening(key) as opening:
        response = await exchange.open()
        fetch = await _begin(exchange, cache, key, response)
        opening.set_result(fetch)
    if fetch is not None:
        await _follow(exchange, fetch)
        return
    try:
        _remember(exchange, await exchange.pass_on(response, key.digest))
    finally:
        response.close()


async def _begin(
    exchange: Exchange,
    cache: DiskCache,
    key: ObjectKey,
    response: aiohttp.ClientResponse,
) -> Fetch | None:
    """Begin to fetch; None if this answer is not one to keep, or cannot be kept."""
    media_type = kept_type(key.kind, response)
    size, limit = declared_length(response), _size_limit(key)
    if response.status != 200 or media_type is None or (size or 0) > limit:
        return None
    holder = exchange.allowed.team_id
    fetch = await cache.begin_fetch(key, media_type, size, holder)
    if fetch is None:
        return None

    def end() -> None:
        response.close()
        cache.end_fetch(fetch, holder)

    exchange.note_success()
    fetch.start(body_of(response, limit), end, seconds=_deadline(key))
    return fetch


def kept_type(kind: ObjectKind, response: aiohttp.ClientResponse) -> str | None:
    """Return the media type to keep an answer with; None for one that is not kept."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    if kind == "blobs":
        return BLOB_TYPE
    media_type = response.content_type
    return media_type if media_type in EXTENSIONS else None


def _size_limit(key: ObjectKey) -> int:
    if key.kind == "manifests":
        return MAX_DOCUMENT_BYTES
    limit: int = settings.BERTH_MAX_BLOB_BYTES
    return limit


def _deadline(key: ObjectKey) -> float | None:
    if key.kind == "blobs":
        return None
    seconds: float = settings.BERTH_UPSTREAM_READ_SECONDS * 2
    return seconds


async def _follow(exchange: Exchange, fetch: Fetch) -> None:
    headers = object_headers(fetch.key.digest, fetch.media_type)
    with fetch.follow():
        try:
            await send_pieces(exchange, 200, headers, fetch.pieces(), fetch.size)
        except (DiskFailed, OSError):
            if exchange.request.started:
                raise
        except BodyBroke as error:
            raise exchange.broken(error) from error
        else:
            return
    # The upstream is not to blame for this disk.
    _remember(exchange, await exchange.ask(fetch.key.digest))
