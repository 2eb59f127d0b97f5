"""The edge's disk cache, as the proxy uses it: without it everything still works."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from edge.cache.disk import DiskThreads, read_pieces
from edge.cache.fetch import Fetch, Fetches
from edge.cache.place import Place
from edge.cache.store import Draft, Entry, Limits, NoRoom, ObjectKey, Store
from edge.cache.tags import TagRecord, find_tagged, recent_tags, write_tag
from portal.limits.fair_share import FairShare, ShareExceeded

T = TypeVar("T")
READING_THREADS = 8
WRITING_THREADS = 8
# Each holds up to 1 MiB that is not yet on disk. More are streamed and not kept.
FETCHES = FairShare("edge-cache-fetches", total=128, each=64)
# On the disk, for bodies under way whose size is declared. An upstream that declares
# much and sends little must not keep out what others fetch.
RESERVED = FairShare(
    "edge-cache-reserved-bytes",
    total=settings.BERTH_CACHE_BYTES,
    each=settings.BERTH_CACHE_BYTES // 2,
)


class DiskCache:
    """Keeps and finds objects; a disk that fails is as good as an empty one."""

    def __init__(self, store: Store) -> None:
        self.fetches = Fetches()
        self.recent_tags = recent_tags()
        self._store = store
        self._reading = DiskThreads(READING_THREADS, name="cache-reads")
        self._writing = DiskThreads(WRITING_THREADS, name="cache-writes")

    async def find(self, key: ObjectKey) -> Entry | None:
        """Return an object that is on disk, open to be read."""
        return await _if_working(self._reading, partial(self._store.find, key))

    def pieces(self, entry: Entry, begin: int, end: int) -> AsyncGenerator[bytes]:
        """Return bytes of an object; raises OSError if they cannot be read."""
        return read_pieces(self._reading, entry.file, begin, end)

    async def begin_fetch(
        self, key: ObjectKey, media_type: str, size: int | None, holder: Hashable
    ) -> Fetch | None:
        """Prepare to write an object; None if it cannot be kept now.

        It has a share for ``holder`` until the caller calls ``end_fetch``.
        """
        try:
            FETCHES.take(holder)
        except ShareExceeded:
            return None
        try:
            RESERVED.take(holder, size or 0)
        except ShareExceeded:
            FETCHES.give_back(holder)
            return None
        draft = await self._begin(key, media_type, size)
        if draft is None:
            self._give_back(size, holder)
            return None
        return Fetch(draft, size, reading=self._reading, writing=self._writing)

    def end_fetch(self, fetch: Fetch, holder: Hashable) -> None:
        """Give the share back, and let others fetch the object again or find it."""
        self._give_back(fetch.size, holder)
        self.fetches.forget(fetch)

    def _give_back(self, size: int | None, holder: Hashable) -> None:
        FETCHES.give_back(holder)
        RESERVED.give_back(holder, size or 0)

    async def _begin(
        self, key: ObjectKey, media_type: str, size: int | None
    ) -> Draft | None:
        begin = partial(self._store.begin, key, media_type, size)
        return await _if_working(self._writing, begin)

    async def put(self, key: ObjectKey, media_type: str, body: bytes) -> None:
        """Keep a small object whose bytes are right, if that is possible now."""
        put = partial(self._store.put, key, media_type, body)
        await _if_working(self._writing, put)

    async def find_tagged(
        self, place: Place, tag: str
    ) -> tuple[TagRecord, Entry] | None:
        """Return what a tag meant when the upstream last said so, if it is on disk."""
        find = partial(find_tagged, self._store, place, tag)
        return await _if_working(self._reading, find)

    async def write_tag(self, place: Place, tag: str, record: TagRecord) -> None:
        """Keep what a tag means, if that is possible now."""
        write = partial(write_tag, self._store, place, tag, record)
        await _if_working(self._writing, write)

    async def aclose(self) -> None:
        """End all fetches, and delete what they have written."""
        await self.fetches.stop()
        self._reading.close()
        self._writing.close()


async def _if_working(threads: DiskThreads, work: Callable[[], T]) -> T | None:
    if threads.rests:
        return None
    try:
        return await threads.call(work)
    except (OSError, NoRoom):
        return None


@asynccontextmanager
async def disk_cache() -> AsyncIterator[DiskCache | None]:
    """Open the cache in BERTH_CACHE_DIR; None without that setting."""
    if not settings.BERTH_CACHE_DIR:
        yield None
        return
    limits = Limits(
        max_bytes=settings.BERTH_CACHE_BYTES,
        min_free_bytes=settings.BERTH_CACHE_MIN_FREE_BYTES,
        nginx_bytes=settings.BERTH_CACHE_NGINX_BYTES,
    )
    cache = DiskCache(Store(Path(settings.BERTH_CACHE_DIR), limits))
    async with aclosing(cache):
        yield cache
