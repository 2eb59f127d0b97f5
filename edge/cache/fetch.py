"""One cold fetch for all who wait: it writes an object, and they follow the file.

A follower never gets the last byte before the sha256 of all of them was right. So
whatever goes wrong, its client sees a body that broke off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial

import aiohttp

from edge.bodies import BodyBroke, WrongBytes, as_broken
from edge.cache.disk import PIECE_BYTES, DiskThreads, read_pieces
from edge.cache.store import Draft, NoRoom, ObjectKey

logger = logging.getLogger(__name__)
# What may wait for the disk; it is written sooner while the disk is idle.
WRITE_BYTES = 512 * 1024
WRITE_SECONDS = 20.0
# Including fsync of a large object; nobody waits for it.
KEEP_SECONDS = 120.0


class DiskFailed(BodyBroke):
    """The body may be right, but could not be written."""


class Fetch:
    """One object on its way from the upstream to the disk."""

    def __init__(
        self,
        draft: Draft,
        size: int | None,
        *,
        reading: DiskThreads,
        writing: DiskThreads,
    ) -> None:
        """Write to ``draft``; ``size`` is what the upstream declared."""
        self.key = draft.key
        self.media_type = draft.media_type
        self.size = size
        self.failure: BodyBroke | None = None
        self._draft = draft
        self._reading = reading
        self._writing = writing
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._written = 0
        # What was written last, and where.
        self._latest = 0, b""
        self._is_right = False
        self._followers = 0
        self._progress = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Return whether it failed, or the object has its name and its file may close.

        Nobody can begin to follow it then.
        """
        return self.failure is not None or bool(self._task and self._task.done())

    def start(
        self,
        body: AsyncGenerator[bytes],
        on_end: Callable[[], None],
        *,
        seconds: float | None,
    ) -> None:
        """Begin to read ``body``, for so long; ``on_end`` is called once at the end."""

        def end(_: asyncio.Task[None]) -> None:
            # Of whatever it died, nobody waits for more.
            self._end(BodyBroke("was stopped"))
            on_end()
            self._close_if_unused()

        self._task = asyncio.create_task(self._run(body, seconds))
        self._task.add_done_callback(end)

    @contextmanager
    def follow(self) -> Iterator[None]:
        """Keep the fetch going during a block; it ends with its last follower."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and not self._is_right:
                self.stop()
            self._close_if_unused()

    def stop(self) -> asyncio.Task[None] | None:
        """End it at once, and return what ends; its followers break off."""
        self._end(BodyBroke("was stopped"))
        if self._task:
            self._task.cancel()
        return self._task

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Return the bytes as they arrive, and the last one when all are right.

        Raises:
            BodyBroke: they are not, or did not arrive.
            OSError: the disk failed.
        """
        begin = 0
        while (end := await self._available(begin)) > begin:
            if piece := self._latest_piece(begin, end):
                yield piece
                begin += len(piece)
                continue
            pieces = read_pieces(self._reading, self._draft.file, begin, end)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
            begin = end

    def _latest_piece(self, begin: int, end: int) -> bytes:
        """Return bytes from memory for those who keep up; b"" if they are not there."""
        latest_at, latest = self._latest
        if begin < latest_at:
            return b""
        end = min(end, begin + PIECE_BYTES)
        return latest[begin - latest_at : end - latest_at]

    async def _available(self, begin: int) -> int:
        """Wait for more bytes; return where they end, or ``begin`` after the last."""
        while self.failure is None:
            end = self._written
            if not self._is_right and (self.size is None or end >= self.size):
                end -= 1
            if end > begin or self._is_right:
                return end
            await self._progress.wait()
        raise self.failure

    async def _run(self, body: AsyncGenerator[bytes], seconds: float | None) -> None:
        try:
            async with aclosing(body), asyncio.timeout(seconds):
                await self._receive(body)
            self._check()
            await self._writing.call(self._draft.keep, seconds=KEEP_SECONDS)
        except (BodyBroke, aiohttp.ClientError, OSError) as error:
            failure = as_broken(error)
            logger.warning(
                "%s of registry %s is not kept: %s",
                *(self.key.digest, self.key.place.registry_id, failure),
            )
            self._end(failure)
        finally:
            # Deletes nothing if it got its name.
            self._writing.start(self._draft.discard)

    async def _receive(self, body: AsyncGenerator[bytes]) -> None:
        writing = self._start_writing()
        try:
            async for chunk in body:
                self._waiting.append(chunk)
                self._waiting_bytes += len(chunk)
                if writing.done():
                    await writing
                    writing = self._start_writing()
                if self._waiting_bytes >= WRITE_BYTES:
                    await writing
            await writing
        finally:
            writing.cancel()

    def _start_writing(self) -> asyncio.Task[None]:
        writing = asyncio.create_task(self._write())
        writing.add_done_callback(self._end_if_failed)
        return writing

    async def _write(self) -> None:
        """Write what is waiting, until nothing is."""
        while self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            try:
                await self._writing.call(
                    partial(self._draft.write, data), seconds=WRITE_SECONDS
                )
            except (OSError, NoRoom) as error:
                raise DiskFailed(f"cannot be written to the cache: {error}") from error
            self._latest = self._written, data
            self._written += len(data)
            self._announce()

    def _check(self) -> None:
        """Let the followers have the last byte, if all are right."""
        if not self._draft.is_right:
            raise WrongBytes
        self.size = self._written
        self._is_right = True
        self._announce()

    def _end(self, failure: BodyBroke) -> None:
        if not self._is_right and self.failure is None:
            self.failure = failure
            self._announce()

    def _end_if_failed(self, writing: asyncio.Task[None]) -> None:
        # At once: the upstream's next bytes may take their time.
        if not writing.cancelled() and (failure := writing.exception()):
            self._end(as_broken(failure))

    def _announce(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    def _close_if_unused(self) -> None:
        if not self._followers and (self._task is None or self._task.done()):
            self._writing.start(self._draft.close)


class Fetches:
    """The fetches under way, so that there is one for each object in this process."""

    def __init__(self) -> None:
        self._by_key: dict[ObjectKey, asyncio.Future[Fetch | None]] = {}

    def under_way(self, key: ObjectKey) -> asyncio.Future[Fetch | None] | None:
        """Return a fetch that is being opened or goes on.

        Its result is None if the upstream's answer cannot be kept, and its exception
        the UpstreamError if there was no answer.
        """
        opening = self._by_key.get(key)
        fetch = _opened(opening) if opening else None
        return None if fetch and fetch.is_over else opening

    @contextmanager
    def opening(self, key: ObjectKey) -> Iterator[asyncio.Future[Fetch | None]]:
        """Let others wait for the result during a block that opens a fetch."""
        opening = asyncio.get_running_loop().create_future()
        self._by_key[key] = opening
        try:
            yield opening
        except Exception as error:
            opening.set_exception(error)
            # Nobody may be waiting, and that is no mistake.
            opening.exception()
            raise
        finally:
            if not opening.done():
                opening.set_result(None)
            if opening.exception() or opening.result() is None:
                del self._by_key[key]

    def forget(self, fetch: Fetch) -> None:
        """Let the next request for an object find it on disk, or fetch it again."""
        opening = self._by_key.get(fetch.key)
        if opening and _opened(opening) is fetch:
            del self._by_key[fetch.key]

    async def stop(self) -> None:
        """End every fetch, and break off what follows it."""
        fetches = [_opened(opening) for opening in self._by_key.values()]
        ending = [fetch.stop() for fetch in fetches if fetch]
        await asyncio.gather(*filter(None, ending), return_exceptions=True)


def _opened(opening: asyncio.Future[Fetch | None]) -> Fetch | None:
    return opening.result() if opening.done() else None
