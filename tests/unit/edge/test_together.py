from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from edge.together import Together


class Server:
    """Doubles numbers, and says which came together."""

    def __init__(self) -> None:
        self.round_trips: list[list[int]] = []
        self.release = asyncio.Event()

    async def ask(self, numbers: Sequence[int]) -> list[int]:
        self.round_trips.append(list(numbers))
        await self.release.wait()
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


async def asked(together: Together[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(together.ask(number)) for number in numbers]
    await asyncio.sleep(0.01)
    return tasks


async def test_what_comes_meanwhile_shares_the_next_round_trip() -> None:
    server = Server()
    together = Together(server.ask, round_trips=1, most=3)

    tasks = await asked(together, 1)
    tasks += await asked(together, 2, 3, 4, 5)
    server.release.set()

    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert server.round_trips == [[1], [2, 3, 4], [5]]


async def test_large_questions_share_a_round_trip_with_few() -> None:
    """Their answers are in memory together."""
    server = Server()
    together = Together(server.ask, round_trips=1, most=20, size=lambda item: item)

    tasks = await asked(together, 1)
    tasks += await asked(together, 8, 12, 1, 19, 2, 50, 3)
    server.release.set()

    assert await asyncio.gather(*tasks) == [2, 16, 24, 2, 38, 4, 100, 6]
    assert server.round_trips == [[1], [8, 12], [1, 19], [2], [50], [3]]


async def test_a_second_round_trip_starts_beside_the_first() -> None:
    server = Server()
    together = Together(server.ask, round_trips=2, most=10)

    first = await asked(together, 1)
    second = await asked(together, 2)

    assert server.round_trips == [[1], [2]]
    server.release.set()
    assert await asyncio.gather(*first, *second) == [2, 4]


async def test_an_error_is_raised_by_those_that_shared_the_round_trip() -> None:
    server = Server()
    together = Together(server.ask, round_trips=1, most=2)

    tasks = await asked(together, 1)
    tasks += await asked(together, 12, 13, 14)
    server.release.set()

    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert (answers[0], answers[3]) == (2, 28)
    assert [str(answer) for answer in answers[1:3]] == ["thirteen"] * 2


async def test_a_caller_that_leaves_takes_nobody_along() -> None:
    server = Server()
    together = Together(server.ask, round_trips=1, most=9)
    tasks = await asked(together, 1, 2, 3)

    tasks[0].cancel()
    tasks[1].cancel()
    server.release.set()

    assert await tasks[2] == 6
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await together.ask(4) == 8


async def test_whoever_gets_an_answer_may_ask_again_at_once() -> None:
    server = Server()
    server.release.set()
    together = Together(server.ask, round_trips=1, most=9)

    async def ask_twice() -> list[int]:
        return [await together.ask(1), await together.ask(2)]

    async with asyncio.timeout(5):
        assert await ask_twice() == [2, 4]
