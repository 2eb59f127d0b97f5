"""Calling the database, which is synchronous, from the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from edge.turns import Turns
from portal.database.deadlines import REQUEST_SECONDS, waiting_at_most
from portal.limits.fair_share import FairShare, ShareExceeded

T = TypeVar("T")
logger = logging.getLogger(__name__)
# A call that waits in line behind slow ones ends at last, too.
GRACE_SECONDS = 0.5
# With less time left, the database would seem to fail a call that waited in line.
LEAST_SECONDS = 0.5


class NoThreadFree(OperationalError, ShareExceeded):  # noqa: N818 -- states the fact
    """Other calls kept all threads busy until this one's time was over."""

    def __init__(self, refusal: ShareExceeded) -> None:
        ShareExceeded.__init__(
            self, str(refusal), is_own=False, retry_after=refusal.retry_after
        )


class DatabaseThreads:
    """A few threads, each with its own database connection that stays open."""

    def __init__(self, count: int, *, name: str) -> None:
        """Start ``count`` threads; metrics have ``name``."""
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="edge-database")
        # Those that run a call. The executor lets the others wait.
        self._busy = FairShare(f"edge-{name}-threads", total=count, each=count)

    async def call(
        self, function: Callable[[], T], *, seconds: float = REQUEST_SECONDS
    ) -> T:
        """Run a function in a thread, and retry once if its connection was stale.

        Raises:
            NoThreadFree: no thread was free in time.
            django.db.Error: the database failed, or did not answer within ``seconds``.
        """
        loop = asyncio.get_running_loop()
        work = partial(self._run, time.monotonic() + seconds, function)
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                # In the context of the request, for the log.
                run = copy_context().run
                return await loop.run_in_executor(self._executor, run, work)
        except TimeoutError as error:
            raise self._none_free() from error

    def start(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, without waiting for it; log its failure."""
        work = partial(self._run, time.monotonic() + REQUEST_SECONDS, function)
        run = copy_context().run
        self._executor.submit(run, work).add_done_callback(_log_failure)

    async def aclose(self) -> None:
        """Wait for running calls, then end the threads and their connections."""
        await asyncio.to_thread(self._executor.shutdown)

    def _run(self, deadline: float, function: Callable[[], T]) -> T:
        # Including the time in line, so that a caller who gives up knows the call
        # failed.
        seconds = deadline - time.monotonic()
        if seconds < LEAST_SECONDS:
            raise self._none_free()
        with self._busy.use(self), waiting_at_most(seconds):
            return _with_live_connection(function)

    def _none_free(self) -> NoThreadFree:
        return NoThreadFree(self._busy.refusal(is_own=False))


class FairThreads(DatabaseThreads):
    """Threads of which each holder has some at a time; its other calls wait in turn.

    Waiting costs no thread here. ``share`` limits how many calls are under way, waiting
    ones included.
    """

    def __init__(self, count: int, *, name: str, each: int, share: FairShare) -> None:
        """Start ``count`` threads; each holder gets ``each`` of them."""
        super().__init__(count, name=name)
        self._turns = Turns(each=each, share=share)

    async def call_for(self, holder: Hashable, function: Callable[[], T]) -> T:
        """Run a function in a thread when it is the holder's turn.

        Raises:
            ShareExceeded: too many calls are waiting, or the turn did not come in time.
            django.db.Error: the database failed.
        """
        async with self._turns.turn(holder):
            return await self.call(function)


def _log_failure(work: Future[object]) -> None:
    if not work.cancelled() and (error := work.exception()):
        logger.error("Work in the background failed", exc_info=error)


def _with_live_connection(function: Callable[[], T]) -> T:
    try:
        return function()
    except (OperationalError, InterfaceError):
        # The server restarted or dropped the connection. Functions here only read, or
        # write in one transaction, so a second run does no harm.
        connection.close()
        return function()
