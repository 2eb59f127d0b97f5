"""Alerts, events for programs and notices about licenses and customers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from alerts.events import Event
from alerts.services import Told, raise_alert, raise_alerts
from audit.models import AuditEvent
from licenses.models import Customer, License, NoticeKind
from licenses.notices import note, note_all
from teams.actors import Actor
from teams.models import ApiToken

EXPIRY_LOOK_BACK = timedelta(days=2)
_EXPIRY_ALERTS = (
    # The team is alerted later than the customer, who has to order.
    (timedelta(days=30), None, "expires within 30 days"),
    (timedelta(days=7), Event.LICENSE_EXPIRING, "expires within 7 days"),
    (timedelta(days=1), Event.LICENSE_EXPIRING, "expires within 1 day"),
    (timedelta(0), Event.LICENSE_EXPIRED, "has expired"),
)
_CUSTOMER_WORDS = {
    Event.CUSTOMER_CREATED: "added",
    Event.CUSTOMER_CHANGED: "changed",
    Event.CUSTOMER_ARCHIVED: "archived",
    Event.CUSTOMER_RESTORED: "restored",
}


def alert_revocation(actor: Actor, license: License) -> None:
    """Alert the team and the customer, in the transaction that revokes the license."""
    alert_revocations(actor, [license])


def alert_revocations(actor: Actor, licenses: Sequence[License]) -> None:
    """Alert the team and the customers, as :func:`alert_revocation` does."""
    told = (
        told_of_license(
            license,
            key=f"{license.pk}:{license.sequence}",
            message=f"{actor.label} revoked {named(license)}: {license.revoke_reason}",
            reason=license.revoke_reason,
        )
        for license in licenses
    )
    raise_alerts(actor.team_id, Event.LICENSE_REVOKED, told)
    noted = ((license, str(license.sequence)) for license in licenses)
    note_all(noted, NoticeKind.LICENSE_REVOKED)


def tell_issued(actor: Actor, license: License) -> None:
    """Tell programs and the customer of a new license, in its transaction."""
    tell_all_issued(actor, [license])


def tell_all_issued(
    actor: Actor, licenses: Sequence[License], *, tells_customers: bool = True
) -> None:
    """Tell programs of new licenses of one team, and their customers if they should."""
    told = (
        told_of_license(
            license,
            key=str(license.pk),
            message=f"{actor.label} issued {named(license)}.",
        )
        for license in licenses
    )
    raise_alerts(actor.team_id, Event.LICENSE_ISSUED, told)
    if tells_customers:
        noted = ((license, "") for license in licenses)
        note_all(noted, NoticeKind.LICENSE_ISSUED)


def tell_changed(
    actor: Actor,
    license: License,
    changed: Iterable[str],
    fields: Iterable[str] = (),
    *,
    is_for_customer: bool = True,
) -> None:
    """Tell programs and the customer, in the transaction that raised the sequence.

    ``fields`` are the names of the license fields with another value. The values are
    not told: some are passwords.
    """
    tell_all_changed(actor, [(license, changed, fields)], for_customers=is_for_customer)


def tell_all_changed(
    actor: Actor,
    changes: Sequence[tuple[License, Iterable[str], Iterable[str]]],
    *,
    for_customers: bool = True,
) -> None:
    """Tell of changed licenses, each as :func:`tell_changed` does."""
    told = (
        told_of_license(
            license,
            key=f"{license.pk}:{license.sequence}",
            message=(
                f"{actor.label} changed {named(license)}: "
                f"{', '.join(sorted(set(changed)))}."
            ),
            changed=sorted(set(changed)),
            changed_fields=sorted(fields),
        )
        for license, changed, fields in changes
    )
    raise_alerts(actor.team_id, Event.LICENSE_CHANGED, told)
    if for_customers:
        noted = ((license, str(license.sequence)) for license, _, _ in changes)
        note_all(noted, NoticeKind.LICENSE_CHANGED)


def tell_reinstated(actor: Actor, license: License) -> None:
    """Tell programs and the customer that a revocation was undone, where it is."""
    raise_license_event(
        license,
        Event.LICENSE_REINSTATED,
        key=f"{license.pk}:{license.sequence}",
        message=f"{actor.label} reinstated {named(license)}.",
    )
    note(license, NoticeKind.LICENSE_REINSTATED, str(license.sequence))


def tell_of_customer(
    event: Event, customer: Customer, change: AuditEvent, changed: Iterable[str] = ()
) -> None:
    """Tell programs of a change of a customer, once for its audit event."""
    tell_of_customers(event, customer.team_id, [(customer, change, changed)])


def tell_of_customers(
    event: Event,
    team_id: uuid.UUID,
    changes: Iterable[tuple[Customer, AuditEvent, Iterable[str]]],
) -> None:
    """Tell programs of a change of each customer, as :func:`tell_of_customer` does."""
    raise_alerts(team_id, event, (_told_of(event, *change) for change in changes))


def _told_of(
    event: Event, customer: Customer, change: AuditEvent, changed: Iterable[str]
) -> Told:
    names = sorted(changed)
    what = f": {', '.join(names)}" if names else ""
    return Told(
        customer,
        str(change.pk),
        f"{change.actor_label} {_CUSTOMER_WORDS[event]} the customer "
        f"{customer.name}{what}.",
        {
            "email": customer.email,
            "custom_id": customer.custom_id,
            "archived_at": instant(customer.archived_at),
            **({"changed": names} if event is Event.CUSTOMER_CHANGED else {}),
        },
    )


def alert_leaked_id(license: License, change: AuditEvent) -> None:
    """Alert the team and the customer that a license ID was found, and stopped."""
    raise_license_event(
        license,
        Event.SECRET_LEAKED,
        key=str(change.pk),
        message=(
            f"The license ID of {license} was reported as leaked, and was stopped. "
            "Check the pull credentials that it may have made."
        ),
        kind="license_id",
    )
    note(license, NoticeKind.SECRET_LEAKED, str(change.pk))


def alert_leaked_api_token(api_token: ApiToken, change: AuditEvent) -> None:
    """Alert the team that an API token was found, and stopped."""
    raise_alert(
        team_id=api_token.team_id,
        event=Event.SECRET_LEAKED,
        subject=api_token,
        key=str(change.pk),
        message=(
            f"The API token {api_token.name} was reported as leaked, and was stopped."
        ),
        data={"kind": "api_token"},
    )


def alert_expiring_licenses() -> int:
    """Alert teams and customers of licenses that expire soon, or have expired.

    Teams within 7 days and 1 day, customers within 30 days too. Looks two days back, so
    that none is missed while no worker was running. Each is told once per license and
    expiry. Returns the number of licenses examined.
    """
    now = timezone.now()
    number = 0
    for before, event, words in _EXPIRY_ALERTS:
        reached = now + before
        # An expired license gets the alert of expiry only.
        since = reached - EXPIRY_LOOK_BACK
        if event is not Event.LICENSE_EXPIRED:
            since = max(since, now)
        licenses = License.objects.filter(
            revoked_at__isnull=True,
            customer__archived_at__isnull=True,
            expires_at__gt=since,
            expires_at__lte=reached,
        ).select_related("customer", "application", "channel")
        for license in licenses.iterator():
            with transaction.atomic():
                if event is not None:
                    _alert_expiry(license, event, words)
                _note_expiry(license, before)
            number += 1
    return number


def _alert_expiry(license: License, event: Event, words: str) -> None:
    at = f"{license.expires_at:%Y-%m-%d %H:%M} UTC"
    raise_license_event(
        license,
        event,
        key=f"{license.pk}:{words}:{at}",
        message=(
            f"The license of {license.customer.name} for {license.application.slug} "
            f"{words}: {at}."
        ),
    )


def _note_expiry(license: License, before: timedelta) -> None:
    at = license.expires_at
    if at is None or license.created_at > at - before:
        return  # who gets a license for a week is not told that it is only a week
    kind = NoticeKind.LICENSE_EXPIRING if before else NoticeKind.LICENSE_EXPIRED
    key = f"{before.days}:{at.isoformat()}"
    note(license, kind, key, days=before.days, at=at.isoformat())


def raise_license_event(
    license: License, event: Event, *, key: str, message: str, **data: object
) -> None:
    """Raise an event about a license, with what all of them tell of it."""
    told = told_of_license(license, key=key, message=message, **data)
    raise_alerts(license.team_id, event, [told])


def told_of_license(
    license: License, *, key: str, message: str, **data: object
) -> Told:
    """Return what an event tells of a license."""
    return Told(
        license,
        key,
        message,
        {
            "customer": license.customer.name,
            "customer_id": str(license.customer_id),
            "application": license.application.slug,
            "channel": license.channel.slug,
            "type": license.type,
            "expires_at": instant(license.expires_at),
            "sequence": license.sequence,
            **data,
        },
    )


def instant(at: datetime | None) -> str | None:
    """Return an instant as payloads have it."""
    return at.isoformat() if at else None


def named(license: License) -> str:
    """Return the license as messages name it."""
    return f"the license of {license.customer.name} for {license.application.slug}"
