"""When a download may not go on: denied, or undecided for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest
from django.db import OperationalError

from edge.proxy.watch import until_denied
from portal.limits.fair_share import ShareExceeded

EVERY = 0.02
UNDECIDED = 0.6


def seconds(still_allowed: Callable[[], Awaitable[bool]]) -> float:
    """Return how long a download goes on; fails after two seconds."""

    async def watch() -> None:
        async with asyncio.timeout(2):
            await until_denied(still_allowed, every=EVERY, undecided=UNDECIDED)

    started = monotonic()
    asyncio.run(watch())
    return monotonic() - started


def answers(*outcomes: bool | Exception) -> Callable[[], Awaitable[bool]]:
    """Return a decision with these outcomes in turn; the last one stays."""
    left = list(outcomes)

    async def decide() -> bool:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return decide


def test_a_denial_ends_it() -> None:
    assert seconds(answers(True, True, False)) >= 3 * EVERY


def test_it_goes_on_while_it_is_allowed() -> None:
    with pytest.raises(TimeoutError):
        seconds(answers(True))


def test_a_short_outage_does_not_end_it() -> None:
    away = OperationalError("away")

    with pytest.raises(TimeoutError):
        seconds(answers(away, away, True))


def test_a_busy_login_does_not_end_it() -> None:
    busy = ShareExceeded("edge-decisions", is_own=True, retry_after=5)

    with pytest.raises(TimeoutError):
        seconds(answers(busy, busy, True))


def test_a_long_outage_does() -> None:
    assert seconds(answers(True, OperationalError("away"))) >= UNDECIDED


def test_a_database_that_hangs_is_an_outage() -> None:
    async def hang() -> bool:
        await asyncio.sleep(60)
        return True

    assert UNDECIDED <= seconds(hang) < 2


def test_an_outage_counts_from_the_last_decision() -> None:
    away = OperationalError("away")
    outage = [away] * 5

    with pytest.raises(TimeoutError):
        seconds(answers(*outage, True, *outage, True, *outage, True))
