from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from licenses.models import Application, License, LicenseField
from licenses.selectors import password_values
from licenses.services.field_values import sealed_passwords
from licenses.services.licenses import raise_sequences
from portal.database.uniqueness import save_valid
from teams.actors import Actor
from teams.permissions import Permission
from teams.services import apply_changes


@transaction.atomic
def create_license_field(
    *, actor: Actor, application: Application, values: Mapping[str, object]
) -> LicenseField:
    """Define a field for the application's licenses."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    field = LicenseField(team_id=application.team_id, application=application, **values)
    # Locked before its licenses, as by a change of its slug: the foreign key locks it
    # only at the end.
    applications = Application.objects.for_team(application.team_id)
    applications.select_for_update(no_key=True).get(pk=application.pk)
    save_valid(field)
    raise_sequences(application.licenses.all())
    record(actor, EventTag.LICENSE_FIELD_CREATED, field, type=field.type)
    return field


@transaction.atomic
def change_license_field(
    *, actor: Actor, field: LicenseField, changes: Mapping[str, object]
) -> LicenseField:
    """Change a field's title, default, options or flags; name and type are fixed."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=field.team_id)
    changed = apply_changes(field, changes)
    if changed:
        raise_sequences(field.application.licenses.all())
        record(actor, EventTag.LICENSE_FIELD_CHANGED, field, changed=changed)
    return field


@transaction.atomic
def delete_license_field(*, actor: Actor, field: LicenseField) -> None:
    """Delete a field and its values in all licenses."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=field.team_id)
    record(actor, EventTag.LICENSE_FIELD_DELETED, field)
    licenses = field.application.licenses.all()
    raise_sequences(licenses)
    if field.type == LicenseField.Type.PASSWORD:
        for license in licenses.filter(secret_field_values__isnull=False):
            _forget_password(license, field.name)
    else:
        for license in licenses.filter(field_values__has_key=field.name):
            del license.field_values[field.name]
            license.save(update_fields=["field_values"])
    field.delete()


def _forget_password(license: License, name: str) -> None:
    values = password_values(license)
    if values.pop(name, None) is not None:
        license.secret_field_values = sealed_passwords(values)
        license.save(update_fields=["secret_field_values"])
