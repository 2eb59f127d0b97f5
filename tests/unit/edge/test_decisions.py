"""The edge asks for a decision once in 0.8 seconds, for each subject and question."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

import pytest
from django.db import OperationalError

from edge.decisions import Decisions
from registries.decision.credentials import Subject, SubjectKind

Clock = Callable[[float], None]
SUBJECT = Subject(SubjectKind.LICENSE, uuid.uuid4())
OTHER = Subject(SubjectKind.LICENSE, uuid.uuid4())


class Asked:
    """Counts the questions; an answer is the number of its question."""

    def __init__(self) -> None:
        self.questions: list[tuple[Subject | None, str]] = []
        self.fails = False
        self.release: asyncio.Event | None = None
        self.started = asyncio.Event()

    async def __call__(self, subject: Subject | None, question: str) -> int:
        self.questions.append((subject, question))
        number = len(self.questions)
        self.started.set()
        if self.release is not None:
            await self.release.wait()
        if self.fails:
            raise OperationalError
        return number


@pytest.fixture
async def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let time pass for the running event loop."""
    loop = asyncio.get_running_loop()
    stopped, passed = loop.time(), 0.0

    def pass_time(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(loop, "time", lambda: stopped + passed)
    return pass_time


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def decisions(asked: Asked) -> Decisions[str, int]:
    return Decisions(asked)


async def test_an_answer_is_used_again_for_less_than_a_second(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    assert await decisions.decide(SUBJECT, "a") == 1
    later(0.79)
    assert await decisions.decide(SUBJECT, "a") == 1
    later(0.02)
    assert await decisions.decide(SUBJECT, "a") == 2
    assert asked.questions == [(SUBJECT, "a")] * 2


async def test_a_decision_made_now_is_new_for_all(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    assert await decisions.decide(SUBJECT, "a") == 1
    assert await decisions.decide_now(SUBJECT, "a") == 2
    assert await decisions.decide_now(SUBJECT, "a") == 3
    later(0.79)
    assert await decisions.decide(SUBJECT, "a") == 3


async def test_a_decision_made_now_joins_none_under_way(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    asked.release = asyncio.Event()
    first = asyncio.ensure_future(decisions.decide(SUBJECT, "a"))
    await asyncio.sleep(0)
    await asked.started.wait()
    hanging, asked.release = asked.release, None

    assert await decisions.decide_now(SUBJECT, "a") == 2

    hanging.set()
    assert await first == 1


async def test_each_subject_and_each_question_has_its_own_answer(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    pairs = [(SUBJECT, "a"), (OTHER, "a"), (None, "a"), (SUBJECT, "b")]

    answers = [await decisions.decide(*pair) for pair in pairs]

    assert answers == [1, 2, 3, 4]
    assert asked.questions == pairs


async def test_a_question_that_hangs_is_not_joined_for_longer(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    asked.release = asyncio.Event()
    first = asyncio.ensure_future(decisions.decide(SUBJECT, "a"))
    await asked.started.wait()
    joined = asyncio.ensure_future(decisions.decide(SUBJECT, "a"))
    later(0.79)
    joined_late = asyncio.ensure_future(decisions.decide(SUBJECT, "a"))
    await asyncio.sleep(0)
    hanging, asked.release = asked.release, None
    later(0.02)

    assert await decisions.decide(SUBJECT, "a") == 2

    hanging.set()
    assert list(await asyncio.gather(first, joined, joined_late)) == [1, 1, 1]


async def test_an_answer_that_took_long_is_already_old(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    asked.release = asyncio.Event()
    first = asyncio.ensure_future(decisions.decide(SUBJECT, "a"))
    await asked.started.wait()
    later(0.81)
    asked.release.set()

    assert await first == 1
    assert await decisions.decide(SUBJECT, "a") == 2


async def test_an_error_is_raised_and_not_remembered(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    asked.fails = True
    with pytest.raises(OperationalError):
        await decisions.decide(SUBJECT, "a")
    asked.fails = False
    before = len(asked.questions)

    assert await decisions.decide(SUBJECT, "a") == before + 1


async def test_2000_answers_are_remembered(
    decisions: Decisions[str, int], asked: Asked, later: Clock
) -> None:
    for number in range(2_001):
        await decisions.decide(SUBJECT, str(number))

    assert await decisions.decide(SUBJECT, "1") == 2
    assert await decisions.decide(SUBJECT, "0") == 2_002
