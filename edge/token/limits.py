"""How often an address may guess, and how much a login may use, in one minute.

Guesses never count against the credential: nobody can lock a customer out by failing in
their name.
"""

from __future__ import annotations

from django.conf import settings

from edge.counts import MinuteCounts
from edge.http import RegistryError, Request
from oci.errors import ErrorCode
from portal.limits.minute_counts import count_here, seconds_left


def check_failures_here(request: Request) -> None:
    """Refuse an address that has failed too often in this process.

    Without asking anybody. What other processes counted is known after the look-up.
    """
    _check_failures(count_here(_failures(request), 0))


async def count_failure(request: Request, counts: MinuteCounts) -> None:
    """Count a login that nobody has; refuse an address that had failed too often."""
    [failures] = await counts.add({_failures(request): 1})
    _check_failures(failures - 1)


async def count_password(request: Request, counts: MinuteCounts) -> None:
    """Count an account password, right or wrong; refuse an address after too many.

    Before the password is hashed: that is costly, and parallel guesses must not all
    pass below the limit.
    """
    subject = f"token-passwords:{request.neighbourhood}"
    number, failures = await counts.add({subject: 1, _failures(request): 0})
    _check_failures(failures)
    if number > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
        raise _too_many(
            "Too many logins with an account password from this address. Use an API "
            "token, or try again"
        )


async def count_anonymous(request: Request, counts: MinuteCounts) -> None:
    """Count a request without a login; refuse an address that sends too many."""
    [number] = await counts.add({f"token-anonymous:{request.neighbourhood}": 1})
    if number > settings.BERTH_TOKEN_REQUESTS_PER_MINUTE:
        raise _too_many("Too many requests from this address. Try again")


async def count_request(
    request: Request, counts: MinuteCounts, login: object, scopes: int
) -> None:
    """Count a request of a login once for each scope; refuse too many.

    Refuse an address that has failed too often, too, so that it cannot tell a right
    guess from a wrong one.
    """
    number, failures = await counts.add(
        {f"token-requests:{login}": max(1, scopes), _failures(request): 0}
    )
    _check_failures(failures)
    if number > settings.BERTH_TOKEN_REQUESTS_PER_MINUTE:
        raise _too_many("Too many token requests with this login. Try again")


def _failures(request: Request) -> str:
    return f"token-failures:{request.neighbourhood}"


def _check_failures(number: int) -> None:
    if number > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
        raise _too_many("Too many failed logins from this address. Try again")


def _too_many(beginning: str) -> RegistryError:
    seconds = seconds_left()
    return RegistryError(
        429,
        ErrorCode.TOOMANYREQUESTS,
        f"{beginning} in {seconds} seconds.",
        headers=[("Retry-After", str(seconds))],
    )
