"""The disk for the event loop: work in threads, with a rest after each failure."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import os
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")
# As much as a slow reader holds in memory.
PIECE_BYTES = 128 * 1024
DISK_SECONDS = 5.0
# A disk that hangs delays requests once, and is left alone for a while then.
REST_SECONDS = 60.0
# For a turn. A disk that has much to do is slow, and not broken.
LINE_SECONDS = 15.0


class DiskThreads:
    """Threads for one kind of work on the disk."""

    def __init__(self, count: int, *, name: str) -> None:
        """Start ``count`` threads."""
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=f"edge-{name}")
        self._turns = asyncio.Semaphore(count)
        self._failed_at = -REST_SECONDS

    @property
    def rests(self) -> bool:
        """Return whether the disk failed a short while ago."""
        return monotonic() < self._failed_at + REST_SECONDS

    async def call(
        self, function: Callable[[], T], *, seconds: float = DISK_SECONDS
    ) -> T:
        """Run a function in a thread.

        Raises:
            OSError: the disk failed, did not answer within ``seconds``, or has too much
                to do.
        """
        began = monotonic()
        async with asyncio.timeout(LINE_SECONDS):
            await self._turns.acquire()
        try:
            if self._failed_at > began:
                # Otherwise those in line would each wait for a disk that hangs.
                raise OSError(errno.EIO, "the disk failed while this was in line")
            return await self._run(function, seconds)
        finally:
            self._turns.release()

    async def _run(self, function: Callable[[], T], seconds: float) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                return await loop.run_in_executor(self._executor, function)
        except OSError as error:
            self._failed_at = monotonic()
            logger.warning(
                "The cache's disk failed, and is not used for %d s: %r",
                *(REST_SECONDS, error),
            )
            raise

    def start(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, without waiting for it."""
        with suppress(RuntimeError):  # the edge ends
            self._executor.submit(function)

    def close(self) -> None:
        self._executor.shutdown(wait=False)


class Changed(OSError):  # noqa: N818 -- states the fact
    """A file changed while it was read."""

    def __init__(self) -> None:
        super().__init__(errno.EIO, "a kept file changed while it was read")


async def read_pieces(
    threads: DiskThreads, file: io.FileIO, begin: int, end: int
) -> AsyncGenerator[bytes]:
    """Return the bytes between two offsets, as many at a time as fit in memory.

    Raises:
        OSError: the disk failed, or the file was truncated.
    """
    while begin < end:
        size = min(PIECE_BYTES, end - begin)
        piece = _cached(file, begin, size)
        if piece is None:
            piece = await threads.call(_reading(file, begin, size))
        if not piece:
            raise Changed
        begin += len(piece)
        yield piece


def _cached(file: io.FileIO, begin: int, size: int) -> bytes | None:
    """Return bytes that the kernel has in memory; None if it must ask the disk."""
    buffer = bytearray(size)
    try:
        count = os.preadv(file.fileno(), [buffer], begin, os.RWF_NOWAIT)
    except OSError:
        # Not in memory, or not known to this file system.
        return None
    return bytes(memoryview(buffer)[:count])


def _reading(file: io.FileIO, begin: int, size: int) -> Callable[[], bytes]:
    return lambda: os.pread(file.fileno(), size, begin)
