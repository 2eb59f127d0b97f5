from __future__ import annotations

import json
from itertools import chain, count
from typing import Any

import django.core.validators
from django.db import migrations, models
from django.db.models import F

import licenses.models
from portal.crypto.secrets import Secret

_RESERVED = "expires_at"


def rename_fields(apps: Any, _schema_editor: Any) -> None:
    """Give fields that hid their licenses' expiry another name, values included."""
    fields = apps.get_model("licenses", "LicenseField").objects
    for field in fields.filter(name__iexact=_RESERVED).order_by("created_at", "pk"):
        old, field.name = field.name, _free_name(field, fields)
        field.save(update_fields=["name"])
        licenses = apps.get_model("licenses", "License").objects.filter(
            application_id=field.application_id
        )
        for license in licenses.iterator():
            _move_value(license, old, field.name)
        licenses.update(sequence=F("sequence") + 1)


def _free_name(field: Any, fields: Any) -> str:
    name = f"{_RESERVED}_field"
    taken = set(
        fields.filter(application_id=field.application_id).values_list(
            "name", flat=True
        )
    )
    return next(
        each
        for each in chain([name], (f"{name}_{number}" for number in count(2)))
        if each not in taken
    )


def _move_value(license: Any, old: str, new: str) -> None:
    if old in license.field_values:
        license.field_values[new] = license.field_values.pop(old)
        license.save(update_fields=["field_values"])
    sealed = license.secret_field_values
    passwords = json.loads(sealed.reveal()) if sealed else {}
    if old in passwords:
        passwords[new] = passwords.pop(old)
        text = json.dumps(passwords, sort_keys=True)
        license.secret_field_values = Secret(text)
        license.save(update_fields=["secret_field_values"])


class Migration(migrations.Migration):
    dependencies = [
        ("licenses", "0005_license_signing_key"),
    ]

    operations = [
        migrations.RunPython(rename_fields, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="licensefield",
            name="name",
            field=models.CharField(
                max_length=100,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\A[a-zA-Z_][a-zA-Z0-9_]{0,99}\\Z",
                        "Start with a letter or '_'; use letters, digits and '_' only.",
                    ),
                    licenses.models.validate_name_is_free,
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="licensefield",
            constraint=models.CheckConstraint(
                condition=models.Q(("name__iexact", "expires_at"), _negated=True),
                name="licenses_licensefield_name_is_free",
            ),
        ),
    ]
