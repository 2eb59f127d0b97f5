"""The secret of a license: shown, replaced, and rehashed."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.alerts import tell_changed
from licenses.license_id import PURPOSE, generate_license_id
from licenses.models import License
from licenses.services.credential_terms import end_of_old_secret
from licenses.services.licenses import locked_license
from portal.crypto.fields import SealedSecret, lookup_keyring
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.permissions import Permission


@transaction.atomic
def reveal_license_id(*, actor: Actor, license: License) -> Secret:
    """Return the license ID to show to a person, and audit that it was shown."""
    actor.require(Permission.LICENSE_REVEAL, team_id=license.team_id)
    record(actor, EventTag.LICENSE_ID_REVEALED, license)
    return Secret(license.license_id.reveal())


@transaction.atomic
def replace_license_id(
    *, actor: Actor, license: License, old_ends_at: datetime | None = None
) -> Secret:
    """Give a license another ID, and return it; license files follow.

    The old one stays valid for 7 days, or until ``old_ends_at``: at most 90 days, or
    ends at once if that is not in the future. One before the old one ends now.
    """
    actor.require(Permission.CREDENTIAL_MANAGE, team_id=license.team_id)
    actor.require(Permission.LICENSE_REVEAL, team_id=license.team_id)
    license, license_id = _replaced(actor, license, old_ends_at)
    tell_changed(actor, license, ["license_id"])
    return license_id


def _replaced(
    actor: Actor, license: License, old_ends_at: datetime | None
) -> tuple[License, Secret]:
    license = locked_license(license)
    license_id = generate_license_id()
    license.previous_license_id_digest = license.license_id_digest
    license.previous_license_id_ends_at = end_of_old_secret(old_ends_at, timezone.now())
    license.license_id = license_id
    license.license_id_digest = _digest(license_id)
    license.id_version += 1
    license.sequence += 1
    license.save(
        update_fields=[
            "license_id",
            "license_id_digest",
            "id_version",
            "previous_license_id_digest",
            "previous_license_id_ends_at",
            "sequence",
        ]
    )
    record(
        actor,
        EventTag.LICENSE_ID_REPLACED,
        license,
        old_ends_at=license.previous_license_id_ends_at.isoformat(),
    )
    return license, license_id


@transaction.atomic
def stop_license_id(*, actor: Actor, license: License, presented: Secret) -> bool:
    """Stop an ID of a license at once: the current one, or the one before it.

    Either way the license gets another one: whoever has the one before it may have
    downloaded the file with the current one. Returns whether it was still valid. The
    customer is not told of a change: the mail about that suggests to sync, which needs
    an ID that has not ended.
    """
    actor.require(Permission.CREDENTIAL_MANAGE, team_id=license.team_id)
    license = locked_license(license)
    now = timezone.now()
    if not _is_valid(license, presented, now):
        return False
    license, _ = _replaced(actor, license, now)
    tell_changed(actor, license, ["license_id"], is_for_customer=False)
    return True


def _is_valid(license: License, presented: Secret, now: datetime) -> bool:
    if license.license_id.reveal() == presented.reveal():
        return True
    digest, ends_at = (
        license.previous_license_id_digest,
        license.previous_license_id_ends_at,
    )
    if digest is None or ends_at is None or ends_at <= now:
        return False
    return lookup_keyring().matches(digest, presented.reveal(), purpose=PURPOSE)


def rehash_license_ids(batch_size: int = 500) -> int:
    """Replace look-up digests made by an older key; return how many.

    Those of replaced license IDs cannot be renewed; they expire.
    """
    keyring = lookup_keyring()
    changed = 0
    for license in License.objects.iterator(chunk_size=batch_size):
        if keyring.is_current(license.license_id_digest):
            continue
        License.objects.filter(
            pk=license.pk, license_id_digest=license.license_id_digest
        ).update(license_id_digest=_digest(license.license_id))
        changed += 1
    return changed


def _digest(license_id: Secret | SealedSecret) -> str:
    return lookup_keyring().digest(license_id.reveal(), purpose=PURPOSE)
