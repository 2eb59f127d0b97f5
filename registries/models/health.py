"""How checks change a registry's health: pure rules, without database and clock.

One failure never changes the state. A refusal must be confirmed by a second one in a
row. Connection trouble is often temporary, so it must occur three times in a row.
Failures of one family may differ: any three in a row are enough. Once the state is in
a family, only repeated failures of the same kind change it; otherwise a registry whose
errors alternate would raise an alert with every check. One success restores health.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models


class Outcome(models.TextChoices):
    """The outcome of trying a credential."""

    VALID = "valid"
    REJECTED = "rejected"
    REPOSITORY_DENIED = "repository_denied"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    UPSTREAM_ERROR = "upstream_error"


REFUSALS = frozenset({Outcome.REJECTED, Outcome.REPOSITORY_DENIED})
# A pull of one image disproves no denial of another, and no limit on checks.
DISPROVED_BY_PULLS = frozenset(
    {Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.UPSTREAM_ERROR}
)
CONFIRM_AFTER = timedelta(seconds=30)
LONGEST_BACK_OFF = timedelta(hours=6)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a registry; ``state`` is None until checks have confirmed one.

    ``suspect`` is a failure that has occurred ``failures`` times in a row.
    """

    state: Outcome | None
    since: datetime | None
    suspect: Outcome | None = None
    failures: int = 0


def after_check(current: Health, outcome: Outcome, at: datetime) -> Health:
    """Return the health after one more check with ``outcome``."""
    if outcome is Outcome.VALID:
        if current.state is Outcome.VALID:
            return Health(Outcome.VALID, current.since)
        return Health(Outcome.VALID, at)
    is_same = current.suspect is outcome
    is_settled = _are_alike(current.state, outcome)
    in_a_row = is_same if is_settled else _are_alike(current.suspect, outcome)
    failures = current.failures + 1 if in_a_row else 1
    needed = 2 if outcome in REFUSALS and is_same else 3
    state, since = current.state, current.since
    if failures >= needed and state is not outcome:
        state, since = outcome, at
    return Health(state, since, outcome, failures)


def _are_alike(one: Outcome | None, other: Outcome) -> bool:
    """Return whether both are refusals, or both connection trouble."""
    if one in {None, Outcome.VALID}:
        return False
    return (one in REFUSALS) == (other in REFUSALS)


def next_check_in(
    health: Health, *, interval: timedelta, retry_after: timedelta | None = None
) -> timedelta:
    """Return how long to wait until the next check, spread by up to a fifth.

    An unconfirmed failure is checked again soon. A registry that limits its rate is
    asked less and less often, and not before its Retry-After.
    """
    if health.suspect is Outcome.RATE_LIMITED:
        doublings = min(health.failures, 10)
        wait = min(interval * 2**doublings, LONGEST_BACK_OFF)
        return max(_spread(wait), retry_after or timedelta(0))
    if health.suspect is not None and not _are_alike(health.state, health.suspect):
        return CONFIRM_AFTER
    return _spread(interval)


def _spread(wait: timedelta) -> timedelta:
    # Not for secrecy: it spreads the checks of registries connected at the same time.
    return wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
