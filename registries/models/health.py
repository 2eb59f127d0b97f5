"""What checks make of a registry's health: no database, no clock.

One failed attempt never changes the state. A refusal has to be confirmed by a second
one in a row; trouble on the way, which often passes by itself, has to be met three
times in a row. Kinds may mix: three failures of a family in a row are enough. Once the
state is of that family, only the same kind again and again changes it, or a registry
that fails now so and now so would be told of at each check. One success is enough to
be well again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models


class Outcome(models.TextChoices):
    """What came of trying a credential."""

    VALID = "valid"
    REJECTED = "rejected"
    REPOSITORY_DENIED = "repository_denied"
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    UPSTREAM_ERROR = "upstream_error"


REFUSALS = frozenset({Outcome.REJECTED, Outcome.REPOSITORY_DENIED})
CONFIRM_AFTER = timedelta(seconds=30)
LONGEST_BACK_OFF = timedelta(hours=6)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a registry; ``state`` is None before anything is.

    ``suspect`` is a failure that has been met ``failures`` times in a row.
    """

    state: Outcome | None
    since: datetime | None
    suspect: Outcome | None = None
    failures: int = 0


def after_check(present: Health, outcome: Outcome, at: datetime) -> Health:
    """Return the health after one more check came to ``outcome``."""
    if outcome is Outcome.VALID:
        if present.state is Outcome.VALID:
            return Health(Outcome.VALID, present.since)
        return Health(Outcome.VALID, at)
    is_same = present.suspect is outcome
    is_settled = _are_alike(present.state, outcome)
    in_a_row = is_same if is_settled else _are_alike(present.suspect, outcome)
    failures = present.failures + 1 if in_a_row else 1
    needed = 2 if outcome in REFUSALS and is_same else 3
    state, since = present.state, present.since
    if failures >= needed and state is not outcome:
        state, since = outcome, at
    return Health(state, since, outcome, failures)


def _are_alike(one: Outcome | None, other: Outcome) -> bool:
    """Tell whether both are refusals, or both trouble on the way."""
    if one in {None, Outcome.VALID}:
        return False
    return (one in REFUSALS) == (other in REFUSALS)


def next_check_in(
    health: Health, *, interval: timedelta, retry_after: timedelta | None = None
) -> timedelta:
    """Return how long to wait until the next check, spread by a fifth either way.

    A failure not confirmed yet is looked at again soon. A registry that limits how
    often it is asked is asked less and less often, and not before it says.
    """
    if health.suspect is Outcome.RATE_LIMITED:
        doublings = min(health.failures, 10)
        wait = min(interval * 2**doublings, LONGEST_BACK_OFF)
        return max(_spread(wait), retry_after or timedelta(0))
    if health.suspect is not None and not _are_alike(health.state, health.suspect):
        return CONFIRM_AFTER
    return _spread(interval)


def _spread(wait: timedelta) -> timedelta:
    # Not for secrecy: so that registries connected together are not checked together.
    return wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
