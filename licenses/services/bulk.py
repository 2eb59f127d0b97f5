"""One action on many licenses or customers, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from licenses.models import Channel, Customer, License
from licenses.services.customers import archive_customer
from licenses.services.licenses import change_license, locked_license, revoke_license
from portal.database.deadlines import seconds_left
from portal.errors import NotAllowed, PortalError
from teams.actors import Actor

# Each takes some 25 ms, and a page should answer in a few seconds.
LIMIT = 200
# Rows for which a request has no time left can be selected again.
RESERVED_SECONDS = 1.0
NO_TIME = "There was no time left for it. Select it again."
CHANGED = "Somebody changed it after you looked. Select it again."


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action does to a row: a value before and after, or why it is skipped."""

    before: object = ""
    after: object = ""
    skipped: str = ""


class LicenseAction(Protocol):
    """An action on a license."""

    def effect(self, license: License) -> Effect:
        """Return what the action would do now."""

    def act(self, actor: Actor, license: License, effect: Effect) -> object:
        """Do it, by the service for one license."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Moves the expiry to an instant, or by one year without one."""

    until: datetime | None = None

    def effect(self, license: License) -> Effect:
        end = license.expires_at
        if license.revoked_at is not None:
            return Effect(skipped="It is revoked. Reinstate it first.")
        if end is None:
            return Effect(skipped="It never expires.")
        until = self.until or a_year_after(end)
        if until <= end:
            return Effect(skipped="It does not expire before that date.")
        if until <= timezone.now():
            return Effect(skipped="It would still be expired. Renew it to a date.")
        return Effect(before=end, after=until)

    def act(self, actor: Actor, license: License, effect: Effect) -> object:
        changes = {"expires_at": effect.after}
        return change_license(actor=actor, license=license, changes=changes)


@dataclass(frozen=True, slots=True)
class ChangeChannel:
    """Puts licenses of one application on another of its channels."""

    channel: Channel

    def effect(self, license: License) -> Effect:
        if license.application_id != self.channel.application_id:
            return Effect(skipped="It is a license of another application.")
        if license.channel_id == self.channel.pk:
            return Effect(skipped="It is on this channel already.")
        return Effect(before=license.channel.name, after=self.channel.name)

    def act(self, actor: Actor, license: License, _effect: Effect) -> object:
        changes = {"channel": self.channel}
        return change_license(actor=actor, license=license, changes=changes)


@dataclass(frozen=True, slots=True)
class Revoke:
    """Revokes licenses for one reason."""

    reason: str

    def effect(self, license: License) -> Effect:
        if license.revoked_at is not None:
            return Effect(skipped="It is revoked already.")
        return Effect(before=str(license.state()), after="revoked")

    def act(self, actor: Actor, license: License, _effect: Effect) -> object:
        return revoke_license(actor=actor, license=license, reason=self.reason)


def change_licenses(
    *,
    actor: Actor,
    licenses: Iterable[License],
    action: LicenseAction,
    seen: Mapping[UUID, int],
) -> list[tuple[License, str]]:
    """Do an action to each license; return with each why it was skipped, if it was.

    ``seen`` has the sequence number of each license when its effect was shown; one that
    has another number now is skipped.

    Raises:
        NotAllowed: the actor may not do this; nothing was done.
    """
    done = []
    for license in sorted(licenses, key=lambda row: row.pk):
        if seconds_left() < RESERVED_SECONDS:
            done.append((license, NO_TIME))
            continue
        try:
            done.append((license, _change(actor, license, action, seen)))
        except (PortalError, ValidationError) as error:
            done.append((license, _words(error)))
    return done


@transaction.atomic
def _change(
    actor: Actor, license: License, action: LicenseAction, seen: Mapping[UUID, int]
) -> str:
    current = locked_license(license)
    if current.sequence != seen.get(current.pk):
        return CHANGED
    effect = action.effect(current)
    if not effect.skipped:
        action.act(actor, current, effect)
    return effect.skipped


def archiving(customer: Customer) -> Effect:
    """Return what archiving does to a customer."""
    if customer.archived_at is not None:
        return Effect(skipped="The customer is archived already.")
    return Effect(before="current", after="archived")


def archive_customers(
    *, actor: Actor, customers: Iterable[Customer]
) -> list[tuple[Customer, str]]:
    """Archive each customer; return with each why it was skipped, if it was.

    Raises:
        NotAllowed: the actor may not do this; nothing was done.
    """
    done = []
    for customer in sorted(customers, key=lambda row: row.pk):
        effect = archiving(customer)
        skipped = NO_TIME if seconds_left() < RESERVED_SECONDS else effect.skipped
        if not skipped:
            archive_customer(actor=actor, customer=customer)
        done.append((customer, skipped))
    return done


def a_year_after(at: datetime) -> datetime:
    """Return the same day and time in the next year, in the current time zone."""
    local = timezone.localtime(at)
    try:
        return local.replace(year=local.year + 1)
    except ValueError:  # 29 February
        return local.replace(year=local.year + 1, day=28)


def _words(error: PortalError | ValidationError) -> str:
    if isinstance(error, NotAllowed):
        raise error
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    fields: Mapping[str, Iterable[str]] = getattr(error, "fields", {})
    return " ".join(text for texts in fields.values() for text in texts) or str(error)
