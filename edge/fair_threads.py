"""Database threads that no holder keeps busy alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeVar

from django.db import OperationalError

from edge.threads import DatabaseThreads, NoThreadFree
from edge.turns import TURN_SECONDS, Turns
from portal.database.deadlines import REQUEST_SECONDS
from portal.limits.fair_share import FairShare

T = TypeVar("T")
# For all turns and answers of one request. Clients give up after half a minute, and
# then begin again.
WHOLE_SECONDS = TURN_SECONDS + REQUEST_SECONDS
_NO_OTHER_TURN = nullcontext()


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Limit the time that one request's calls take together.

    Raises:
        django.db.Error: they took longer.
    """
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            yield
    except TimeoutError as error:
        raise OperationalError("The calls of one request took too long.") from error


class FairThreads(DatabaseThreads):
    """Threads of which each holder has some at a time; its other calls wait in turn.

    Waiting costs no thread here. ``share`` limits how many calls are under way, waiting
    ones included.
    """

    def __init__(self, count: int, *, name: str, each: int, share: FairShare) -> None:
        """Start ``count`` threads; each holder gets ``each`` of them."""
        super().__init__(count, name=name)
        self._turns = Turns(each=each, share=share)
        self._failed_at = 0.0

    async def call_for(
        self,
        holder: Hashable,
        function: Callable[[], T],
        *,
        other_turn: AbstractAsyncContextManager[None] = _NO_OTHER_TURN,
    ) -> T:
        """Run a function in a thread when it is the holder's turn, then ``other_turn``.

        Raises:
            ShareExceeded: too many calls are waiting, or the turn did not come in time.
            django.db.Error: the database failed, for this call or one before it.
        """
        began = time.monotonic()
        async with self._turns.turn(holder), other_turn:
            return await self._in_turn(began, function)

    async def _in_turn(self, began: float, function: Callable[[], T]) -> T:
        if self._failed_at > began:
            # Otherwise those in line would each wait for a frozen database in turn.
            raise OperationalError("The database failed while this call was in line.")
        try:
            return await self.call(function)
        except NoThreadFree:
            raise
        except OperationalError:
            self._failed_at = time.monotonic()
            raise
