"""A few calls of each holder at a time, while its others wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from portal.limits.fair_share import FairShare

# Clients give up after half a minute, and then begin again.
TURN_SECONDS = 15


class Turns:
    """Lets ``each`` calls of a holder go on at a time; its others wait in turn.

    ``share`` limits how many calls are under way, waiting ones included.
    """

    def __init__(self, *, each: int, share: FairShare) -> None:
        self._each = each
        self._share = share
        # A holder's turns last as long as its calls, which refer to them.
        self._turns: WeakValueDictionary[Hashable, asyncio.Semaphore] = (
            WeakValueDictionary()
        )

    @asynccontextmanager
    async def turn(self, holder: Hashable) -> AsyncIterator[None]:
        """Wait for the holder's turn, and have it during a block.

        Raises:
            ShareExceeded: too many calls are waiting, or the turn did not come in time.
        """
        with self._share.use(holder):
            turns = self._turns.setdefault(holder, asyncio.Semaphore(self._each))
            if turns.locked():
                await self._wait_for(turns)
            else:
                await turns.acquire()
            try:
                yield
            finally:
                turns.release()

    async def _wait_for(self, turns: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise self._share.refusal(is_own=True) from None
