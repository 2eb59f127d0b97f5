"""Whether a browser session has passed a second factor."""

from __future__ import annotations

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from rest_framework.request import Request

from teams.models import Membership, User
from teams.selectors import lacks_second_factor

_METHOD = "mfa"


def note_passed(request: HttpRequest, user: User, authenticator: Authenticator) -> None:
    """Remember that the request's session has passed this second factor.

    As allauth does when somebody signs in or confirms who they are with one.
    """
    record_authentication(
        request, user, _METHOD, id=authenticator.pk, type=str(authenticator.type)
    )


def has_passed(request: HttpRequest | Request, user: User) -> bool:
    """Return whether the user has shown a second factor in the request's session."""
    records = get_authentication_records(request, user)
    return any(record.get("method") == _METHOD for record in records)


def session_lacks_second_factor(
    request: HttpRequest | Request, membership: Membership
) -> bool:
    """Return whether the team requires a second factor that the session lacks.

    A session that began before the account had one has not passed it.
    """
    if not membership.team.require_second_factor:
        return False
    return lacks_second_factor(membership) or not has_passed(request, membership.user)
