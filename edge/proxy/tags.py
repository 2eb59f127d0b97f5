"""Manifests by tag: confirmed by the upstream, then sent from disk if they are there.

HEAD says what a tag means now, and costs registries little. While the upstream is down,
the last answer serves for a while, marked as stale.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time

import aiohttp
from django.conf import settings

from edge.cache.disk_cache import DiskCache
from edge.cache.place import place_of
from edge.cache.store import EXTENSIONS
from edge.cache.tags import TagRecord
from edge.http import RegistryError
from edge.proxy.exchange import Exchange
from edge.proxy.kept import STALE
from edge.proxy.objects import answer_from_disk, object_key
from edge.proxy.refusals import refusal
from edge.proxy.stream import declared_length
from oci.digest import MalformedDigest, parse_digest
from registries.upstream.errors import (
    UpstreamError,
    UpstreamFault,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnreachable,
)

logger = logging.getLogger(__name__)
# No client waits longer for an upstream where a last answer can serve.
PATIENCE_SECONDS = 5.0


class _Down(Exception):  # noqa: N818 -- states the fact
    """The upstream gave no answer about the tag; ``error`` says what it did."""

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
    last = await _last_answer(exchange, cache)
    try:
        if not (last and await _answer_confirmed(exchange, cache, last)):
            await _ask(exchange, cache, last)
    except _Down as down:
        if not (last and await _answer_stale(exchange, cache, last)):
            raise down.error from down
        logger.warning("A stale answer for %s: %s", exchange.route.name, down)


async def _last_answer(exchange: Exchange, cache: DiskCache) -> TagRecord | None:
    """Return what the tag meant last, if its manifest is on disk."""
    record = await cache.read_tag(place_of(exchange.allowed), exchange.route.reference)
    entry = await cache.find(object_key(exchange, record.digest)) if record else None
    if entry is None:
        return None
    entry.file.close()
    return record


async def _answer_confirmed(
    exchange: Exchange, cache: DiskCache, last: TagRecord
) -> bool:
    """Answer from disk if the upstream says that the tag still means the same.

    Raises:
        _Down: the upstream did not say.
    """
    if not exchange.wants_all:
        return False
    response = await _open(exchange, last, "HEAD")
    response.close()
    if response.status != 200 or _digest(response) != last.digest:
        return False
    exchange.note_success()
    await _keep(exchange, cache, last._replace(verified_at=time.time()))
    return await answer_from_disk(exchange, cache, object_key(exchange, last.digest))


async def _ask(exchange: Exchange, cache: DiskCache, last: TagRecord | None) -> None:
    """Answer as the upstream does, and keep the answer; raises _Down."""
    response = await _open(exchange, last, exchange.request.method)
    try:
        whole = await exchange.pass_on(response, _digest(response))
    finally:
        response.close()
    media_type = response.content_type
    if response.status != 200 or media_type not in EXTENSIONS:
        return
    digest, size = _digest(response), declared_length(response)
    if whole:
        digest = f"sha256:{hashlib.sha256(whole.body).hexdigest()}"
        size = len(whole.body)
        await cache.put(object_key(exchange, digest), media_type, whole.body)
    if digest.startswith("sha256:") and size is not None:
        record = TagRecord(digest, media_type, size, time.time())
        await _keep(exchange, cache, record)


async def _keep(exchange: Exchange, cache: DiskCache, record: TagRecord) -> None:
    place, tag = place_of(exchange.allowed), exchange.route.reference
    await cache.write_tag(place, tag, record)


async def _answer_stale(exchange: Exchange, cache: DiskCache, last: TagRecord) -> bool:
    """Answer with what the tag meant last, if that is not too long ago."""
    if not _may_serve(exchange, last):
        return False
    key = object_key(exchange, last.digest)
    return await answer_from_disk(exchange, cache, key, STALE)


def _may_serve(exchange: Exchange, last: TagRecord) -> bool:
    accept = exchange.headers["Accept"]
    is_accepted = last.media_type in accept or "*/*" in accept
    return is_accepted and last.age < settings.BERTH_STALE_TAG_SECONDS


async def _open(
    exchange: Exchange, last: TagRecord | None, method: str
) -> aiohttp.ClientResponse:
    is_replaceable = last is not None and _may_serve(exchange, last)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS if is_replaceable else None):
            response = await exchange.open(method)
    except TimeoutError as error:
        raise _Down(UpstreamTimeout(exchange.target)) from error
    except (
        *(UpstreamTimeout, UpstreamUnreachable),
        *(UpstreamRateLimited, UpstreamFault),
    ) as error:
        raise _Down(error) from error
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
