"""Calling the database, which is synchronous, from the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from portal.database.deadlines import REQUEST_SECONDS, waiting_at_most
from portal.limits.fair_share import ShareExceeded

T = TypeVar("T")
DATABASE_THREADS = 8
# A call that waits in line behind slow ones ends at last, too.
GRACE_SECONDS = 0.5
# With less time left, the database would seem to fail a call that waited in line.
LEAST_SECONDS = 0.5


class NoThreadFree(OperationalError, ShareExceeded):  # noqa: N818 -- states the fact
    """Other calls kept all threads busy until this one's time was over."""

    def __init__(self) -> None:
        ShareExceeded.__init__(self, "edge-threads", is_own=False, retry_after=5)


class DatabaseThreads:
    """A few threads, each with its own database connection that stays open."""

    def __init__(self, count: int = DATABASE_THREADS) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="edge-database")

    async def call(
        self, function: Callable[[], T], *, seconds: float = REQUEST_SECONDS
    ) -> T:
        """Run a function in a thread, and retry once if its connection was stale.

        Raises:
            NoThreadFree: no thread was free in time.
            django.db.Error: the database failed, or did not answer within ``seconds``.
        """
        loop = asyncio.get_running_loop()
        work = partial(_within, time.monotonic() + seconds, function)
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return await loop.run_in_executor(self._executor, work)
        except TimeoutError as error:
            raise NoThreadFree from error

    def start(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, without waiting for it."""
        work = partial(_within, time.monotonic() + REQUEST_SECONDS, function)
        self._executor.submit(work)

    async def close(self) -> None:
        """Wait for running calls, then end the threads and their connections."""
        await asyncio.to_thread(self._executor.shutdown)


def _within(deadline: float, function: Callable[[], T]) -> T:
    # Including the time in line, so that a caller who gives up knows the call failed.
    seconds = deadline - time.monotonic()
    if seconds < LEAST_SECONDS:
        raise NoThreadFree
    with waiting_at_most(seconds):
        return _with_live_connection(function)


def _with_live_connection(function: Callable[[], T]) -> T:
    try:
        return function()
    except (OperationalError, InterfaceError):
        # The server restarted or dropped the connection. Functions here only read, or
        # write in one transaction, so a second run does no harm.
        connection.close()
        return function()
