"""How often a team may check credentials while somebody waits."""

from __future__ import annotations

import uuid

from portal.errors import TooMany
from portal.limits.minute_counts import count

CHECKS_PER_MINUTE = 30


def count_check(team_id: uuid.UUID) -> None:
    """Count one more check that somebody of a team waits for.

    Checks could be used to guess passwords elsewhere. Those by the workers do not
    count.

    Raises:
        TooMany: the team has reached its limit for this minute.
    """
    if count(f"registry-tries:{team_id}") > CHECKS_PER_MINUTE:
        raise TooMany(
            "too_many_tries",
            f"A team can check {CHECKS_PER_MINUTE} credentials a minute. Wait a "
            "minute, then retry.",
            retry_after=60,
        )
