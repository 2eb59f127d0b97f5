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
from edge.cache.tags import TagRecord
from edge.http import RegistryError
from edge.proxy.exchange import Exchange
from edge.proxy.kept import STALE
from edge.proxy.objects import answer_from_disk, kept_type, object_key
from edge.proxy.refusals import refusal
from edge.proxy.stream import declared_length
from oci.digest import MalformedDigest, parse_digest
from registries.upstream.errors import UpstreamError, UpstreamTimeout

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
    # Decided before the upstream is asked, which takes its time.
    stale = last if last and _may_serve(exchange, last) else None
    patience = PATIENCE_SECONDS if stale else None
    try:
        if not (last and await _answer_confirmed(exchange, cache, last, patience)):
            await _ask(exchange, cache, patience)
    except _Down as down:
        key = object_key(exchange, stale.digest) if stale else None
        if not (key and await answer_from_disk(exchange, cache, key, STALE)):
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
    exchange: Exchange, cache: DiskCache, last: TagRecord, patience: float | None
) -> bool:
    """Answer from disk if the upstream says that the tag still means the same.

    Raises:
        _Down: the upstream did not say.
    """
    if not exchange.wants_all:
        return False
    response = await _open(exchange, "HEAD", patience)
    response.close()
    if response.status != 200 or _digest(response) != last.digest:
        return False
    exchange.note_success()
    await _keep(exchange, cache, last._replace(verified_at=time.time()))
    return await answer_from_disk(exchange, cache, object_key(exchange, last.digest))


async def _ask(exchange: Exchange, cache: DiskCache, patience: float | None) -> None:
    """Answer as the upstream does, and keep the answer; raises _Down."""
    response = await _open(exchange, exchange.request.method, patience)
    try:
        whole = await exchange.pass_on(response, _digest(response))
    finally:
        response.close()
    media_type = kept_type("manifests", response)
    if response.status != 200 or media_type is None:
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
