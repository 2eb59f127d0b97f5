"""Database threads that no holder keeps busy alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from edge.threads import DatabaseThreads
from edge.turns import Turns
from portal.limits.fair_share import FairShare

T = TypeVar("T")


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
