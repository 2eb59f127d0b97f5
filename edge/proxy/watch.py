"""Decides again while a blob is streamed, so that a revocation ends downloads too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from django.db import Error

from portal.limits.fair_share import ShareExceeded

logger = logging.getLogger(__name__)

# Another second of the decision's own age is the longest that a download goes on.
DECIDE_SECONDS = 5.0
# Without a database nobody can be refused for a reason, so a short outage, such as a
# restart, must not break every customer's download. A long one does: nothing is allowed
# for long on an old decision.
UNDECIDED_SECONDS = 60.0

StillAllowed = Callable[[], Awaitable[bool]]


async def until_denied(
    still_allowed: StillAllowed,
    *,
    every: float = DECIDE_SECONDS,
    undecided: float = UNDECIDED_SECONDS,
) -> None:
    """Return once a download may not go on.

    That is when it is denied, or when no decision was possible for so long.
    """
    decided = monotonic()
    while monotonic() - decided < undecided:
        await asyncio.sleep(every)
        try:
            async with asyncio.timeout(every):
                if not await still_allowed():
                    return
            decided = monotonic()
        except (Error, ShareExceeded, TimeoutError):
            # A login with many downloads, whose decisions wait in turn, is not denied.
            logger.warning("A download could not be decided again")
