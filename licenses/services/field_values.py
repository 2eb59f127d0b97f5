"""Values of license fields: validated, and passwords encrypted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from licenses.models import Application, LicenseField
from licenses.selectors import license_fields_for_application
from portal.crypto.secrets import Secret
from portal.errors import Invalid


def field_columns(
    application: Application,
    values: Mapping[str, object],
    known: Iterable[LicenseField] | None = None,
) -> dict[str, Any]:
    """Validate values, and return the columns that store them.

    ``known`` are the application's fields, if the caller has them.
    """
    if known is None:
        known = license_fields_for_application(application)
    fields = {field.name: field for field in known}
    _check_values(application, fields, values)
    given = {name: value for name, value in values.items() if value is not None}
    passwords = {
        name: given.pop(name)
        for name, field in fields.items()
        if field.type == LicenseField.Type.PASSWORD and name in given
    }
    return {"field_values": given, "secret_field_values": sealed_passwords(passwords)}


def sealed_passwords(passwords: Mapping[str, object]) -> Secret | None:
    return Secret(json.dumps(passwords, sort_keys=True)) if passwords else None


def _check_values(
    application: Application,
    fields: Mapping[str, LicenseField],
    values: Mapping[str, object],
) -> None:
    problems = {
        name: f"{application.slug} has no license field {name!r}."
        for name in values
        if name not in fields
    }
    for name, field in fields.items():
        value = values.get(name)
        if value is None:
            if field.required and field.default is None:
                problems[name] = f"{name} needs a value."
            continue
        try:
            field.check_value(value)
        except ValidationError as error:
            problems[name] = error.messages[0]
    if problems:
        raise Invalid({"field_values": list(problems.values())})
