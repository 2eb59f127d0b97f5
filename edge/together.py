"""Asks together what is asked at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Together(Generic[Question, Answer]):
    """Puts questions that come while earlier ones are answered into one round trip.

    A question that comes alone does not wait. A busy process makes far fewer round
    trips than it has questions.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        round_trips: int,
        most: int,
        size: Callable[[Question], int] = lambda _: 1,
    ) -> None:
        """Ask for at most ``most`` answers at once, ``round_trips`` times in parallel.

        ``size`` is how many of them a question needs; a larger one is asked alone. If
        ``ask`` raises an error, all its questions get it.
        """
        self._ask = ask
        self._round_trips = round_trips
        self._most = most
        self._size = size
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._under_way = 0
        # A running task that nobody refers to may be collected.
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """Return the answer. A caller that is cancelled does not cancel the others."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._under_way < self._round_trips:
            self._under_way += 1
            task = asyncio.create_task(self._ask_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def wait(self) -> None:
        """Wait until nothing is being asked."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _ask_all(self) -> None:
        try:
            await self._ask_while_waiting()
        finally:
            # Here, as a task's callbacks run later: who has an answer may ask before.
            self._under_way -= 1

    async def _ask_while_waiting(self) -> None:
        while self._waiting:
            asked = self._next()
            try:
                answers = await self._ask([question for question, _ in asked])
            except Exception as error:  # noqa: BLE001 -- it is raised by those who ask
                for _, waiting in asked:
                    if not waiting.done():
                        waiting.set_exception(error)
                continue
            for (_, waiting), answer in zip(asked, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)

    def _next(self) -> list[tuple[Question, asyncio.Future[Answer]]]:
        asked = [self._waiting.popleft()]
        left = self._most - self._size(asked[0][0])
        while self._waiting and (left := left - self._size(self._waiting[0][0])) >= 0:
            asked.append(self._waiting.popleft())
        return asked
