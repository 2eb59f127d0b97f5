"""How often a team may have credentials tried while somebody waits."""

from __future__ import annotations

import uuid

from portal.errors import TooMany
from portal.http.minute_counts import count

TRIES_PER_MINUTE = 30


def count_try(team_id: uuid.UUID) -> None:
    """Count one more try of a team in this minute.

    Each keeps a thread of the portal for as long as the registry takes, and somebody
    could have passwords guessed elsewhere. The stored ones are checked all the time,
    whatever was tried.

    Raises:
        TooMany: it has been enough for this minute.
    """
    if count(f"registry-tries:{team_id}") > TRIES_PER_MINUTE:
        raise TooMany(
            "too_many_tries",
            f"A team tries {TRIES_PER_MINUTE} credentials in a minute at most. Wait a "
            "minute, then try again.",
            retry_after=60,
        )
