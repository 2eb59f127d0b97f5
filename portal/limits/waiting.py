"""Requests that occupy a thread of the portal while they wait for another server.

They share half of the threads. Probes, revocations and the private registry's
notifications find a free one, however slow registries, mail servers, identity providers
and readers of exports are.

The last quarter of these places is for signing in: teams with silent registries must
not keep people out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings

from portal.errors import Busy, TooMany
from portal.limits.fair_share import FairShare, ShareExceeded

_TOTAL = settings.BERTH_WAITING_REQUESTS
_PER_TEAM = settings.BERTH_WAITING_REQUESTS_PER_TEAM
_requests = FairShare("portal-waiting-requests", total=_TOTAL, each=_PER_TEAM)
_except_signing_in = FairShare(
    "portal-waiting-requests-except-signing-in",
    total=max(1, min(_TOTAL - 1, _TOTAL * 3 // 4)),
    each=_PER_TEAM,
)


@contextmanager
def waiting(holder: Hashable, *, signs_in: bool = False) -> Iterator[None]:
    """Wait for another server during a block, on behalf of a team or an address.

    Raises:
        TooMany: the holder, or everybody together, has as many such requests as
            allowed. Nothing was done.
    """
    shares = [_requests] if signs_in else [_except_signing_in, _requests]
    with ExitStack() as places:
        try:
            for share in shares:
                places.enter_context(share.use(holder))
        except ShareExceeded as error:
            raise _refusal(error) from error
        yield


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
