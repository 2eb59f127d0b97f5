"""When checks change a registry's state, and when they do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from registries.models.health import Health, Outcome, after_check, next_check_in

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALID, REJECTED = Outcome.VALID, Outcome.REJECTED
UNREACHABLE, ERROR = Outcome.UNREACHABLE, Outcome.UPSTREAM_ERROR
DENIED, LIMITED = Outcome.REPOSITORY_DENIED, Outcome.RATE_LIMITED
WELL = Health(VALID, START)


def after(health: Health, *outcomes: Outcome) -> Health:
    for number, outcome in enumerate(outcomes, start=1):
        health = after_check(health, outcome, START + number * HOUR)
    return health


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([REJECTED], VALID),
        ([REJECTED, REJECTED], REJECTED),
        ([DENIED], VALID),
        ([DENIED, DENIED], DENIED),
        ([REJECTED, DENIED], VALID),
        ([REJECTED, DENIED, REJECTED], REJECTED),
        ([REJECTED, DENIED, DENIED], DENIED),
        ([UNREACHABLE] * 2, VALID),
        ([UNREACHABLE] * 3, UNREACHABLE),
        ([UNREACHABLE, ERROR, UNREACHABLE], UNREACHABLE),
        ([UNREACHABLE, ERROR, LIMITED], LIMITED),
        ([UNREACHABLE, UNREACHABLE, REJECTED], VALID),
        ([UNREACHABLE, REJECTED, UNREACHABLE, UNREACHABLE], VALID),
        ([REJECTED, VALID, REJECTED], VALID),
        ([UNREACHABLE, UNREACHABLE, VALID, UNREACHABLE], VALID),
        ([REJECTED, REJECTED, VALID], VALID),
        ([REJECTED, REJECTED, UNREACHABLE], REJECTED),
        ([REJECTED, REJECTED, UNREACHABLE, UNREACHABLE, UNREACHABLE], UNREACHABLE),
    ],
)
def test_state_after_checks(outcomes: list[Outcome], state: Outcome) -> None:
    assert after(WELL, *outcomes).state is state


@pytest.mark.parametrize(
    ("first", "second"), [(UNREACHABLE, ERROR), (REJECTED, DENIED)]
)
def test_alternating_failures_are_one_state(first: Outcome, second: Outcome) -> None:
    ill = after(WELL, first, second, first)
    assert ill.state is first

    later = ill
    for outcome in (second, first) * 5:
        later = after_check(later, outcome, START + 9 * HOUR)
        assert (later.state, later.since) == (first, ill.since)
        assert next_check_in(later, interval=HOUR) > timedelta(minutes=40)

    assert after(later, second, second, second).state is second


def test_no_state_before_one_is_confirmed() -> None:
    new = Health(None, None)

    assert after(new, REJECTED).state is None
    assert after(new, REJECTED, REJECTED).state is REJECTED
    assert after(new, VALID) == Health(VALID, START + HOUR)


def test_since_is_when_the_state_began() -> None:
    ill = after(WELL, REJECTED, REJECTED, REJECTED, REJECTED)

    assert ill.since == START + 2 * HOUR
    assert after(WELL, VALID, VALID).since == START
    assert after_check(ill, VALID, START + 9 * HOUR).since == START + 9 * HOUR


def test_an_unconfirmed_failure_is_checked_again_soon() -> None:
    for outcome in (REJECTED, UNREACHABLE, ERROR, DENIED):
        wait = next_check_in(after(WELL, outcome), interval=HOUR)
        assert wait == timedelta(seconds=30)


def test_confirmed_states_wait_for_the_interval_with_jitter() -> None:
    for health in (WELL, after(WELL, REJECTED, REJECTED)):
        waits = {next_check_in(health, interval=HOUR) for _ in range(100)}

        assert min(waits) >= 0.8 * HOUR
        assert max(waits) <= 1.2 * HOUR
        assert len(waits) > 50


def test_rate_limits_back_off() -> None:
    waits = [
        next_check_in(after(WELL, *[LIMITED] * times), interval=timedelta(minutes=15))
        for times in (1, 2, 3, 12, 2_000)
    ]

    assert timedelta(minutes=24) <= waits[0] <= timedelta(minutes=36)
    assert timedelta(minutes=48) <= waits[1] <= timedelta(minutes=72)
    assert timedelta(minutes=96) <= waits[2] <= timedelta(minutes=144)
    # Six hours at most, spread by a fifth.
    for wait in waits[3:]:
        assert timedelta(hours=4.8) <= wait <= timedelta(hours=7.2)


def test_retry_after_is_respected() -> None:
    wait = next_check_in(
        after(WELL, LIMITED),
        interval=timedelta(minutes=15),
        retry_after=timedelta(hours=2),
    )

    assert wait == timedelta(hours=2)


def test_retry_after_does_not_shorten_a_wait() -> None:
    for seconds in (0, 60):
        wait = next_check_in(
            after(WELL, LIMITED),
            interval=timedelta(minutes=15),
            retry_after=timedelta(seconds=seconds),
        )

        assert wait >= timedelta(minutes=24)
