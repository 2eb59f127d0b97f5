"""Alerts and events for programs about pull credentials.

Their subject is the license; the credential is told by its name and key, never by its
secret.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from alerts.events import Event
from alerts.services import Told, raise_alerts
from audit.models import AuditEvent
from licenses.alerts import instant, named, raise_license_event, told_of_license
from licenses.models import (
    License,
    NoticeKind,
    PullCredential,
    PullCredentialQuerySet,
    TrustedIdentity,
)
from licenses.notices import note
from teams.actors import Actor

EXPIRES_SOON = timedelta(days=7)
UNUSED_DAYS = 90


def tell_credential_created(actor: Actor, credential: PullCredential) -> None:
    """Tell programs of a new credential, in the transaction that creates it."""
    tell_credentials_created(actor, [credential])


def tell_credentials_created(
    actor: Actor, credentials: Collection[PullCredential]
) -> None:
    """Tell programs of new credentials, in the transaction that creates them."""
    told = (_told(actor, credential, "created") for credential in credentials)
    raise_alerts(actor.team_id, Event.PULL_CREDENTIAL_CREATED, told)


def tell_credential_rotated(
    actor: Actor, new: PullCredential, old: PullCredential
) -> None:
    """Tell programs of a replaced secret, in the transaction that replaces it.

    The old one has the end that was chosen.
    """
    _tell(actor, new, Event.PULL_CREDENTIAL_ROTATED, "rotated", replaced=described(old))


def tell_credential_revoked(actor: Actor, credential: PullCredential) -> None:
    """Tell programs of a revoked credential, in the transaction that revokes it."""
    _tell(actor, credential, Event.PULL_CREDENTIAL_REVOKED, "revoked")


def tell_identity_added(actor: Actor, identity: TrustedIdentity) -> None:
    """Tell programs of a new trusted identity, in the transaction that adds it."""
    _tell_of_identity(actor, identity, Event.TRUSTED_IDENTITY_ADDED, "added")


def tell_identity_removed(actor: Actor, identity: TrustedIdentity) -> None:
    """Tell programs of a removed one, in the transaction that removes it."""
    _tell_of_identity(actor, identity, Event.TRUSTED_IDENTITY_REMOVED, "removed")


def _tell_of_identity(
    actor: Actor, identity: TrustedIdentity, event: Event, did: str
) -> None:
    told = told_of_license(
        identity.license,
        key=str(identity.pk),
        message=(
            f"{actor.label} {did} the trusted identity {identity.label} of "
            f"{named(identity.license)}."
        ),
        identity=described_identity(identity),
    )
    raise_alerts(actor.team_id, event, [told])


def described_identity(identity: TrustedIdentity) -> dict[str, object]:
    """Return a trusted identity as payloads name it."""
    return {
        "id": str(identity.pk),
        "label": identity.label,
        "issuer": identity.issuer,
        "audience": identity.audience,
        "rules": identity.rules,
    }


def alert_leaked_credential(
    credential: PullCredential, stopped: Collection[PullCredential], change: AuditEvent
) -> None:
    """Alert the team and the customer of a credential that was found, and stopped.

    ``stopped`` are all that were revoked, this one perhaps among them.
    """
    license = credential.license
    others = sorted({row.name for row in stopped} - {credential.name})
    too = f" So were: {', '.join(others)}." if others else ""
    raise_license_event(
        license,
        Event.SECRET_LEAKED,
        key=str(change.pk),
        message=(
            f"The pull credential {credential.name} of {named(license)} was reported "
            f"as leaked, and was stopped.{too}"
        ),
        kind="pull_credential",
        credential=described(credential),
    )
    note(
        license,
        NoticeKind.SECRET_LEAKED,
        str(change.pk),
        name=credential.name,
        others=others,
    )


def alert_expiring_credentials() -> int:
    """Alert teams of credentials that expire within 7 days, once for each expiry.

    Not of replaced ones, nor where the license does not pull. Returns the number of
    credentials examined.
    """
    now = timezone.now()
    number = 0
    credentials = (
        PullCredential.objects.current()
        .filter(
            expires_at__gt=now,
            expires_at__lte=now + EXPIRES_SOON,
            license__revoked_at__isnull=True,
            license__customer__archived_at__isnull=True,
        )
        .select_related("license__customer", "license__application", "license__channel")
    )
    for credential in credentials.iterator():
        _alert_expiry(credential)
        number += 1
    return number


@transaction.atomic
def _alert_expiry(credential: PullCredential) -> None:
    at = credential.expires_at
    raise_license_event(
        credential.license,
        Event.PULL_CREDENTIAL_EXPIRING,
        key=f"{credential.pk}:{instant(at)}",
        message=(
            f"The pull credential {credential.name} of {named(credential.license)} "
            f"expires at {at:%Y-%m-%d %H:%M} UTC. Rotate it, or pulls with it will be "
            "refused."
        ),
        credential=described(credential),
    )
    note(
        credential.license,
        NoticeKind.CREDENTIAL_EXPIRING,
        f"{credential.pk}:{instant(at)}",
        name=credential.name,
    )


def alert_unused_credentials() -> int:
    """Alert teams of credentials that nobody has used for 90 days.

    A new one counts from its creation. Each is told once, and again only after another
    use and 90 days. Not of replaced ones, nor of what does not pull. Returns the number
    of alerts.
    """
    now = timezone.now()
    related = ("license__customer", "license__application", "license__channel")
    credentials = _unused(now).select_related(*related)
    return sum(_alert_unused(credential, now) for credential in credentials.iterator())


def _unused(now: datetime) -> PullCredentialQuerySet:
    told_before_its_last_use = Q(unused_alerted_at__lt=F("last_used_at"))
    return (
        PullCredential.objects.current()
        .usable(now)
        .unused_since(now - timedelta(days=UNUSED_DAYS))
        .filter(
            Q(unused_alerted_at__isnull=True) | told_before_its_last_use,
            license__in=License.objects.active(now),
            license__customer__archived_at__isnull=True,
        )
    )


@transaction.atomic
def _alert_unused(credential: PullCredential, now: datetime) -> bool:
    # It may have been used, or told by another worker, since it was read.
    if not _unused(now).filter(pk=credential.pk).update(unused_alerted_at=now):
        return False
    used_at = credential.last_used_at
    since = (
        f"It was last used on {used_at:%Y-%m-%d}" if used_at else "It was never used"
    )
    raise_license_event(
        credential.license,
        Event.PULL_CREDENTIAL_UNUSED,
        key=f"{credential.pk}:{instant(used_at)}",
        message=(
            f"The pull credential {credential.name} of {named(credential.license)} has "
            f"not been used for {UNUSED_DAYS} days. {since}. Revoke it if nobody needs "
            "it: a secret that nobody uses can still leak."
        ),
        credential=described(credential),
        last_used_at=instant(used_at),
    )
    return True


def alert_new_network(credential: PullCredential, network: str, address: str) -> None:
    """Alert the team of a use from a new network, in the transaction that notes it.

    At most once a day (UTC) for a credential. Not of one that is limited to networks:
    somebody has chosen those.
    """
    if credential.networks:
        return
    now = timezone.now()
    raise_license_event(
        credential.license,
        Event.PULL_CREDENTIAL_NEW_NETWORK,
        key=f"{credential.pk}:{now:%Y-%m-%d}",
        message=(
            f"The pull credential {credential.name} of {named(credential.license)} was "
            f"used from {address}. It has not been used from this network before, "
            f"{network}. If the customer does not know it, revoke the credential. If "
            "they do, they can limit it to their networks, which ends these alerts."
        ),
        credential=described(credential),
        network=network,
        address=address,
        at=instant(now),
    )


def _tell(
    actor: Actor,
    credential: PullCredential,
    event: Event,
    did: str,
    **data: object,
) -> None:
    raise_alerts(actor.team_id, event, [_told(actor, credential, did, **data)])


def _told(actor: Actor, credential: PullCredential, did: str, **data: object) -> Told:
    return told_of_license(
        credential.license,
        key=str(credential.pk),
        message=(
            f"{actor.label} {did} the pull credential {credential.name} of "
            f"{named(credential.license)}."
        ),
        credential=described(credential),
        **data,
    )


def described(credential: PullCredential) -> dict[str, object]:
    """Return a credential as payloads name it."""
    return {
        "id": str(credential.pk),
        "name": credential.name,
        "key": credential.key,
        "expires_at": instant(credential.expires_at),
        "networks": list(credential.networks),
    }
