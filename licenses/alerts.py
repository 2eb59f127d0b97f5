"""Alerts about licenses."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from alerts.events import Event
from alerts.services import raise_alert
from licenses.models import License
from teams.actors import Actor
from teams.models import TeamOwned

EXPIRY_LOOK_BACK = timedelta(days=2)
_EXPIRY_ALERTS = (
    (timedelta(days=7), Event.LICENSE_EXPIRING, "expires within 7 days"),
    (timedelta(days=1), Event.LICENSE_EXPIRING, "expires within 1 day"),
    (timedelta(0), Event.LICENSE_EXPIRED, "has expired"),
)


def alert_revocation(actor: Actor, license: License) -> None:
    """Alert the team. Call this in the transaction that revokes the license."""
    raise_alert(
        team_id=license.team_id,
        event=Event.LICENSE_REVOKED,
        subject=license,
        key=f"{license.pk}:{license.sequence}",
        message=(
            f"{actor.label} revoked the license of {license.customer.name} for "
            f"{license.application.slug}: {license.revoke_reason}"
        ),
        data=_data(license),
    )


def alert_leak(subject: TeamOwned, *, key: str, message: str) -> None:
    """Alert the team of a secret that was reported and stopped, in that transaction."""
    raise_alert(
        team_id=subject.team_id,
        event=Event.SECRET_LEAKED,
        subject=subject,
        key=key,
        message=message,
    )


def alert_expiring_licenses() -> int:
    """Alert teams of licenses that expire within 7 days or 1 day, or have expired.

    Looks two days back, so that none is missed while no worker was running. Each alert
    is raised once per license and expiry. Returns the number of licenses examined.
    """
    now = timezone.now()
    number = 0
    for before, event, words in _EXPIRY_ALERTS:
        reached = now + before
        # An expired license gets the alert of expiry only.
        since = reached - EXPIRY_LOOK_BACK
        if event is Event.LICENSE_EXPIRING:
            since = max(since, now)
        licenses = License.objects.filter(
            revoked_at__isnull=True,
            customer__archived_at__isnull=True,
            expires_at__gt=since,
            expires_at__lte=reached,
        ).select_related("customer", "application")
        for license in licenses.iterator():
            _alert_expiry(license, event, words)
            number += 1
    return number


@transaction.atomic
def _alert_expiry(license: License, event: Event, words: str) -> None:
    at = f"{license.expires_at:%Y-%m-%d %H:%M} UTC"
    raise_alert(
        team_id=license.team_id,
        event=event,
        subject=license,
        key=f"{license.pk}:{words}:{at}",
        message=(
            f"The license of {license.customer.name} for {license.application.slug} "
            f"{words}: {at}."
        ),
        data=_data(license),
    )


def _data(license: License) -> dict[str, object]:
    return {
        "customer": license.customer.name,
        "application": license.application.slug,
        "expires_at": license.expires_at.isoformat() if license.expires_at else None,
    }
