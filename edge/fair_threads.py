"""Database threads that no holder keeps busy alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakValueDictionary

from edge.threads import DatabaseThreads
from portal.limits.fair_share import FairShare, ShareExceeded

T = TypeVar("T")
# Clients give up after half a minute, and then begin again.
TURN_SECONDS = 15


class FairThreads(DatabaseThreads):
    """Threads of which each holder has some at a time; its other calls wait in turn.

    Waiting costs no thread here. ``share`` limits how many calls are under way, waiting
    ones included.
    """

    def __init__(self, count: int, *, each: int, share: FairShare) -> None:
        """Start ``count`` threads; each holder gets ``each`` of them."""
        super().__init__(count)
        self._each = each
        self._share = share
        # A holder's turns last as long as its calls, which refer to them.
        self._turns: WeakValueDictionary[Hashable, asyncio.Semaphore] = (
            WeakValueDictionary()
        )

    async def call_for(self, holder: Hashable, function: Callable[[], T]) -> T:
        """Run a function in a thread when it is the holder's turn.

        Raises:
            ShareExceeded: too many calls are waiting, or the turn did not come in time.
        """
        with self._share.use(holder):
            turns = self._turns.setdefault(holder, asyncio.Semaphore(self._each))
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await turns.acquire()
            except TimeoutError:
                raise ShareExceeded(
                    self._share.resource, is_own=True, retry_after=5
                ) from None
            try:
                return await self.call(function)
            finally:
                turns.release()
