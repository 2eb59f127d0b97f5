"""When a pull credential ends, and the networks it may be used from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils import timezone

from licenses.models import PullCredential
from licenses.networks import canonical_network
from portal.errors import Invalid

OLD_SECRET_LASTS = timedelta(days=7)
OLD_SECRET_LASTS_AT_MOST = timedelta(days=90)
# For the time that a form needs to arrive.
_LENIENCE = timedelta(minutes=5)


def end_of_old_secret(chosen: datetime | None, now: datetime) -> datetime:
    """Return when a replaced secret ends; None chooses 7 days.

    Raises:
        Invalid: it would be valid for more than 90 days.
    """
    if chosen is None:
        return now + OLD_SECRET_LASTS
    if chosen > now + OLD_SECRET_LASTS_AT_MOST + _LENIENCE:
        days = OLD_SECRET_LASTS_AT_MOST.days
        raise Invalid({"old_ends_at": [f"Choose an instant within {days} days."]})
    return max(chosen, now)


def expiry_within(
    maker: PullCredential, expires_at: datetime | None
) -> datetime | None:
    """Return when a credential ends that another makes: no later than its maker.

    Raises:
        Invalid: it was asked to end later.
    """
    end = maker.expires_at
    if end is not None and expires_at is not None and expires_at > end:
        message = f"The credential you are using expires at {end.isoformat()}."
        raise Invalid({"expires_at": [message]})
    return expires_at or end


def networks_within(
    maker: PullCredential, networks: Collection[str]
) -> Collection[str]:
    """Return the networks of a credential that another makes: some of its maker's.

    Raises:
        Invalid: it was asked to have others.
    """
    if maker.networks and networks and set(canonical(networks)) - set(maker.networks):
        message = "The credential you are using is not allowed from all of these."
        raise Invalid({"networks": [message]})
    return networks or maker.networks


def in_future(expires_at: datetime | None) -> datetime | None:
    """Return an expiry; raises Invalid if it is past."""
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid({"expires_at": ["Choose an instant in the future."]})
    return expires_at


def canonical(networks: Collection[str]) -> list[str]:
    """Return networks in their usual form, each once; raises Invalid if one is none."""
    try:
        return list(dict.fromkeys(map(canonical_network, networks)))
    except ValueError as error:
        raise Invalid({"networks": [str(error)]}) from error
