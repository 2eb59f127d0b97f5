from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.alerts import (
    alert_revocation,
    tell_changed,
    tell_issued,
    tell_reinstated,
)
from licenses.files.license_file import license_file
from licenses.license_id import PURPOSE, generate_license_id
from licenses.models import Application, Channel, Customer, License, LicenseField
from licenses.selectors import (
    default_channel,
    password_values,
    shown_field_values,
)
from licenses.services.field_values import field_columns, sealed_passwords
from portal.crypto.fields import lookup_keyring
from portal.database.uniqueness import save_valid, validate_values
from portal.errors import Conflict, Invalid
from teams.actors import Actor, ActorKind
from teams.permissions import Permission

REVOCATION = ["revoked_at", "revoked_by", "revoke_reason", "sequence"]


@transaction.atomic
def issue_license(
    *,
    actor: Actor,
    customer: Customer,
    application: Application,
    type: str,
    channel: Channel | None = None,
    expires_at: datetime | None = None,
    field_values: Mapping[str, object] | None = None,
) -> License:
    """Give a customer the right to an application.

    ``expires_at`` is an exact instant, or None for no expiry. ``channel`` defaults to
    the application's default channel.

    Raises:
        Invalid: the channel is another application's, or a field value is invalid.
        Conflict: the customer or the application is archived.
    """
    license = draft_license(
        actor=actor,
        customer=customer,
        application=application,
        type=type,
        channel=channel,
        expires_at=expires_at,
        field_values=field_values,
    )
    require_unarchived_application(application)
    save_valid(license)
    record(actor, EventTag.LICENSE_ISSUED, license, **audited_terms(license))
    tell_issued(actor, license)
    return license


def draft_license(
    *,
    actor: Actor,
    customer: Customer,
    application: Application,
    type: str,
    channel: Channel | None = None,
    expires_at: datetime | None = None,
    field_values: Mapping[str, object] | None = None,
    known_fields: Iterable[LicenseField] | None = None,
) -> License:
    """Return a license that :func:`issue_license` would issue, without saving it.

    ``known_fields`` are the application's license fields, if the caller has them.

    Raises:
        Invalid, ValidationError: the channel is another application's, or a value is
            invalid.
        Conflict: the customer is archived.
    """
    actor.require(Permission.LICENSE_ISSUE, team_id=customer.team_id)
    _require_one_team(customer, application)
    if customer.archived_at is not None:
        raise Conflict("customer_archived", "Restore the customer first.")
    license_id = generate_license_id()
    license = License(
        team_id=customer.team_id,
        customer=customer,
        application=application,
        channel=_channel_of(application, channel),
        type=type,
        expires_at=expires_at,
        **field_columns(application, field_values or {}, known_fields),
        license_id=license_id,
        license_id_digest=lookup_keyring().digest(license_id.reveal(), purpose=PURPOSE),
    )
    validate_values(license)
    return license


def audited_terms(license: License) -> dict[str, object]:
    """Return what the audit event of a new license tells."""
    return {"type": license.type, "expires_at": _instant(license.expires_at)}


@transaction.atomic
def change_license(
    *,
    actor: Actor,
    license: License,
    changes: Mapping[str, object],
    merges_values: bool = False,
) -> License:
    """Change channel, type, expiry or field values; raises the sequence number.

    Field values replace all current ones, or are merged into them: then None removes
    one, and others stay. Pulls follow a changed expiry within one second.
    """
    actor.require(Permission.LICENSE_CHANGE, team_id=license.team_id)
    license = locked_license(license)
    change = draft_change(actor, license, changes, merges_values=merges_values)
    if change.attributes:
        save_valid(license, update_fields=change.columns)
        license.refresh_from_db(fields=["updated_at"])
        record(actor, EventTag.LICENSE_CHANGED, license, **change.audited)
        tell_changed(actor, license, change.names, change.fields)
    return license


@dataclass(frozen=True, slots=True)
class Change:
    """What is other in a license and not saved yet.

    ``fields`` are the names of the license fields with another value.
    """

    license: License
    attributes: Sequence[str] = ()
    fields: Iterable[str] = ()

    @property
    def columns(self) -> list[str]:
        """Return what to save."""
        return [*self.attributes, "sequence"]

    @property
    def names(self) -> set[str]:
        """Return the attributes as the API and programs know them.

        Passwords are stored apart, but for them all are field values.
        """
        return {name.removeprefix("secret_") for name in self.attributes}

    @property
    def audited(self) -> dict[str, object]:
        """Return what the audit event tells."""
        ends = _instant(self.license.expires_at)
        return {"changed": list(self.attributes), "expires_at": ends}


def draft_change(
    actor: Actor,
    license: License,
    changes: Mapping[str, object],
    *,
    merges_values: bool = False,
    known_fields: Iterable[LicenseField] | None = None,
) -> Change:
    """Set attributes of a locked license as :func:`change_license` does, unsaved.

    Raises:
        Invalid, ValidationError: values are invalid; the license is not to be used.
    """
    actor.require(Permission.LICENSE_CHANGE, team_id=license.team_id)
    changes = dict(changes)
    if "channel" in changes:
        channel = changes["channel"]
        assert channel is None or isinstance(channel, Channel)  # noqa: S101 -- typing
        changes["channel"] = _channel_of(license.application, channel)
    if "field_values" in changes:
        values = changes["field_values"]
        assert isinstance(values, Mapping)  # noqa: S101 -- narrows for the type checker
        changes |= _value_columns(license, values, known_fields, merges=merges_values)
    before = shown_field_values(license, reveal=True)
    changed = [name for name, new in changes.items() if getattr(license, name) != new]
    if not changed:
        return Change(license)
    for name in changed:
        setattr(license, name, changes[name])
    validate_values(license)
    license.sequence += 1
    after = shown_field_values(license, reveal=True)
    fields = {name for name in before | after if before.get(name) != after.get(name)}
    return Change(license, changed, fields)


def _value_columns(
    license: License,
    values: Mapping[str, object],
    known_fields: Iterable[LicenseField] | None,
    *,
    merges: bool,
) -> dict[str, object]:
    passwords = password_values(license)
    if merges:
        values = {**license.field_values, **passwords, **values}
    columns = field_columns(license.application, values, known_fields)
    if columns["secret_field_values"] == sealed_passwords(passwords):
        # Encrypted again, the same passwords would look changed.
        del columns["secret_field_values"]
    return columns


@transaction.atomic
def revoke_license(*, actor: Actor, license: License, reason: str) -> License:
    """Stop pulls within one second, even with registry tokens already issued.

    Revoking again changes nothing and keeps the first reason, so a retry is safe.
    """
    actor.require(Permission.LICENSE_REVOKE, team_id=license.team_id)
    license = locked_license(license)
    if draft_revocation(actor, license, reason):
        save_valid(license, update_fields=REVOCATION)
        record(actor, EventTag.LICENSE_REVOKED, license, reason=license.revoke_reason)
        alert_revocation(actor, license)
    return license


def draft_revocation(actor: Actor, license: License, reason: str) -> bool:
    """Mark a locked license as revoked, unsaved; return False if it is revoked already.

    Raises:
        Invalid, ValidationError: there is no reason, or it cannot be stored.
    """
    actor.require(Permission.LICENSE_REVOKE, team_id=license.team_id)
    if not reason.strip():
        raise Invalid({"reason": ["Enter a reason."]})
    if license.revoked_at is not None:
        return False
    license.revoked_at = timezone.now()
    license.revoked_by_id = actor.id if actor.kind is ActorKind.USER else None
    license.revoke_reason = reason.strip()
    license.sequence += 1
    validate_values(license)
    return True


@transaction.atomic
def reinstate_license(*, actor: Actor, license: License) -> License:
    """Undo a revocation. A license that is not revoked stays unchanged.

    Raises:
        Conflict: the license is archived.
    """
    actor.require(Permission.LICENSE_REVOKE, team_id=license.team_id)
    license = locked_license(license)
    if license.archived_at is not None:
        raise Conflict("license_archived", "Restore the license first.")
    if license.revoked_at is None:
        return license
    license.revoked_at = None
    license.revoked_by_id = None
    license.revoke_reason = ""
    license.sequence += 1
    license.save(update_fields=REVOCATION)
    record(actor, EventTag.LICENSE_REINSTATED, license)
    tell_reinstated(actor, license)
    return license


@transaction.atomic
def download_license_file(*, actor: Actor, license: License) -> str:
    """Return the license file, which contains the license ID; audits the download."""
    actor.require(
        Permission.LICENSE_REVEAL,
        team_id=license.team_id,
        customer_id=license.customer_id,
    )
    text = license_file(license).text()
    record(actor, EventTag.LICENSE_FILE_DOWNLOADED, license)
    return text


def lock_licenses(team_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> None:
    """Let changes of a team's licenses apply in turn, and two requests not deadlock."""
    rows = License.objects.for_team(team_id).filter(pk__in=ids).order_by("pk")
    list(rows.select_for_update().values_list("pk"))


def locked_license(license: License) -> License:
    """Return the current row, locked, so that concurrent changes apply in turn."""
    return (
        License.objects.for_team(license.team_id)
        .select_related("customer", "application", "channel")
        .select_for_update(of=("self",))
        .get(pk=license.pk)
    )


def raise_sequences(licenses: QuerySet[License]) -> None:
    # Always locked in the same order, so that two changes cannot deadlock.
    locked = licenses.select_for_update().order_by("pk").values_list("pk", flat=True)
    licenses.filter(pk__in=list(locked)).update(sequence=F("sequence") + 1)


def _require_one_team(customer: Customer, application: Application) -> None:
    if application.team_id != customer.team_id:
        raise Invalid({"application": ["Choose an application of your team."]})


def require_unarchived_application(application: Application) -> None:
    """Raise Conflict if the application is archived; keep it from that otherwise."""
    # Locked as a foreign key would be at the end, when it could have been archived.
    # Others can still issue licenses.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT archived_at FROM licenses_application WHERE id = %s FOR KEY SHARE",
            [application.pk],
        )
        [archived_at] = cursor.fetchone() or [None]
    if archived_at is not None:
        raise Conflict("application_archived", "Restore the application first.")


def _channel_of(application: Application, channel: Channel | None) -> Channel:
    if channel is None:
        return default_channel(application)
    if channel.application_id != application.pk:
        raise Invalid({"channel": ["Choose a channel of the license's application."]})
    return channel


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
