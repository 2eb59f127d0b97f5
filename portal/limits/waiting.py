"""Requests that occupy a thread of the portal while they wait for another server.

They share half of the threads. Probes, revocations and the private registry's
notifications find a free one, however slow registries, mail servers, identity providers
and readers of exports are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from django.conf import settings

from portal.errors import Busy, TooMany
from portal.limits.fair_share import FairShare, ShareExceeded

_requests = FairShare(
    "portal-waiting-requests",
    total=settings.BERTH_WAITING_REQUESTS,
    each=settings.BERTH_WAITING_REQUESTS_PER_TEAM,
)


@contextmanager
def waiting(holder: Hashable) -> Iterator[None]:
    """Wait for another server during a block, on behalf of a team or an address.

    Raises:
        TooMany: the holder, or everybody together, has as many such requests as
            allowed. Nothing was done.
    """
    try:
        _requests.take(holder)
    except ShareExceeded as error:
        raise _refusal(error) from error
    try:
        yield
    finally:
        _requests.give_back(holder)


def _refusal(error: ShareExceeded) -> TooMany:
    if error.is_own:
        return TooMany(
            "too_many_at_once",
            "Too many of your requests are waiting for other servers. Wait until one "
            "of them has finished, then retry.",
            error.retry_after,
        )
    return Busy(
        "busy",
        "Too many requests are waiting for other servers. Retry in a few seconds.",
        error.retry_after,
    )
