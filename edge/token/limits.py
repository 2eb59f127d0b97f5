"""How often an address may guess, and how much a login may use, in one minute.

Guesses never count against the credential: nobody can lock a customer out by failing in
their name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from django.conf import settings

from edge.http import RegistryError, Request
from edge.services import EdgeServices
from oci.errors import ErrorCode
from portal.limits.minute_counts import (
    count_here,
    count_in_redis,
    counted_in_redis,
    seconds_left,
)

# Redis usually answers within a millisecond. Later than this, the process's own count
# has to do.
COUNTING_SECONDS = 0.5


async def limit_failures(request: Request, services: EdgeServices) -> None:
    """Refuse an address that has failed too often."""
    subject = f"token-failures:{request.neighbourhood}"
    ask = partial(counted_in_redis, subject)
    number = await _larger(services, count_here(subject, 0), ask)
    if number > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
        raise _too_many("Too many failed logins from this address. Try again")


async def count_failure(request: Request, services: EdgeServices) -> None:
    await _count(services, f"failures:{request.neighbourhood}", 1)


async def count_password(request: Request, services: EdgeServices) -> None:
    """Count an account password, right or wrong; refuse an address after too many.

    Before the password is hashed: that is costly, and parallel guesses must not all
    pass below the limit.
    """
    number = await _count(services, f"passwords:{request.neighbourhood}", 1)
    if number > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
        raise _too_many(
            "Too many logins with an account password from this address. Use an API "
            "token, or try again"
        )


async def count_anonymous(request: Request, services: EdgeServices) -> None:
    """Count a request without a login; refuse an address that sends too many."""
    number = await _count(services, f"anonymous:{request.neighbourhood}", 1)
    if number > settings.BERTH_TOKEN_REQUESTS_PER_MINUTE:
        raise _too_many("Too many requests from this address. Try again")


async def count_request(services: EdgeServices, login: object, scopes: int) -> None:
    """Count a request of a login once for each scope; refuse too many.

    Each scope costs a decision.
    """
    number = await _count(services, f"requests:{login}", max(1, scopes))
    if number > settings.BERTH_TOKEN_REQUESTS_PER_MINUTE:
        raise _too_many("Too many token requests with this login. Try again")


async def _count(services: EdgeServices, subject: str, amount: int) -> int:
    subject = f"token-{subject}"
    ask = partial(count_in_redis, subject, amount)
    return await _larger(services, count_here(subject, amount), ask)


async def _larger(services: EdgeServices, own: int, ask: Callable[[], int]) -> int:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(COUNTING_SECONDS):
            return max(own, await loop.run_in_executor(services.counting, ask))
    except TimeoutError:
        return own


def _too_many(beginning: str) -> RegistryError:
    seconds = seconds_left()
    return RegistryError(
        429,
        ErrorCode.TOOMANYREQUESTS,
        f"{beginning} in {seconds} seconds.",
        headers=[("Retry-After", str(seconds))],
    )
