"""Forms of licenses: terms, and the typed fields of their application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from licenses.models import NEVER as NEVER_ENDS
from licenses.models import Channel, License, LicenseField
from licenses.selectors import password_values
from portal.http.forms import EditForm

Type = LicenseField.Type
TYPES = [(type, f"{type.label}: {type.meaning}") for type in License.Type]
NEVER, AT = "never", "at"
EXPIRIES = [
    ("14", "In 14 days"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In 1 year"),
    (NEVER, "Never"),
    (AT, "At a date and time"),
]
_MINUTES = "%Y-%m-%dT%H:%M"


def value_name(field: LicenseField) -> str:
    """Return the name of the control that a license field is entered with."""
    return f"value_{field.name}"


def _clear_name(field: LicenseField) -> str:
    return f"clear_{field.name}"


class TermsForm(forms.Form):
    """The terms of a license: channel, type, expiry and license fields.

    Without an application there are no channels and fields yet.
    """

    type = forms.ChoiceField(choices=TYPES)
    expiry = forms.ChoiceField(
        label="Expires", choices=EXPIRIES, widget=forms.RadioSelect
    )
    expires_at = forms.DateTimeField(
        label="Date and time",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MINUTES),
        error_messages={"invalid": "Enter a date and time, such as 2031-12-31 18:00."},
    )

    def __init__(
        self,
        *args: Any,
        channels: Sequence[Channel] = (),
        license_fields: Sequence[LicenseField] = (),
        stored: License | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.license_fields = license_fields
        self.fields[
            "expires_at"
        ].help_text = (
            f"In your team's time zone, {timezone.get_current_timezone_name()}."
        )
        if channels:
            self.fields["channel"] = forms.TypedChoiceField(
                choices=[(str(channel.pk), channel.name) for channel in channels],
                coerce={str(channel.pk): channel for channel in channels}.__getitem__,
                initial=next(
                    (str(channel.pk) for channel in channels if channel.is_default), ""
                ),
                help_text="A label in the license file, which your software can read. "
                "Any channel pulls the same images.",
            )
        secrets = password_values(stored) if stored else {}
        for field in license_fields:
            self.fields |= _controls(field, is_set=field.name in secrets)

    @property
    def values(self) -> list[forms.BoundField]:
        """Return the controls of the license fields."""
        return [
            control for control in self if control.name.startswith(("value_", "clear_"))
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        expiry = cleaned.get("expiry")
        if expiry != AT:
            self.errors.pop("expires_at", None)
        elif cleaned.get("expires_at") is None and "expires_at" not in self.errors:
            self.add_error("expires_at", "Enter when the license expires.")
        elif cleaned.get("expires_at") and _is_too_late(cleaned["expires_at"]):
            self.add_error("expires_at", "Enter a date before the year 9999.")
        expires_at = _expires_at(expiry, cleaned.get("expires_at"))
        if expires_at and cleaned.get("type") == License.Type.COMMUNITY:
            self.add_error(
                "expiry",
                "A community license does not expire. Choose Never, or another type.",
            )
        for field in self.license_fields:
            self._check(field)
        # Last, because add_error removes the value.
        return cleaned | {"expires_at": expires_at}

    def _check(self, field: LicenseField) -> None:
        value = self.cleaned_data.get(value_name(field))
        try:
            if value not in {None, ""}:
                field.check_value(value)
        except ValidationError as error:
            self.add_error(value_name(field), error)


class LicenseForm(TermsForm, EditForm):
    """Changes a license."""

    def differing(self) -> list[str]:
        same = {
            value_name(field)
            for field in self.license_fields
            if not self.data.get(value_name(field))
            and field.type != Type.BOOLEAN
            and self.initial.get(value_name(field)) == field.default
        }
        current = self.initial.get("expires_at")
        if current is not None:
            current = current.replace(second=0, microsecond=0)
        if self.is_valid() and self.cleaned_data["expires_at"] == current:
            same |= {"expiry", "expires_at"}
        return [name for name in super().differing() if name not in same]


def _expires_at(expiry: str | None, at: datetime | None) -> datetime | None:
    if expiry == AT:
        return at
    if expiry is None or not expiry.isdecimal():
        return None
    # Keep the time of day across daylight saving changes.
    local = timezone.localtime().replace(second=0, microsecond=0)
    return local + timedelta(days=int(expiry))


def _is_too_late(at: datetime) -> bool:
    try:
        return at.astimezone(UTC).year >= NEVER_ENDS.year
    except OverflowError:
        return True


def _controls(field: LicenseField, *, is_set: bool) -> dict[str, forms.Field]:
    controls = {value_name(field): _control(field, is_set=is_set)}
    if is_set and not field.required:
        controls[_clear_name(field)] = forms.BooleanField(
            required=False, label=f"Remove the stored {field.title}"
        )
    return controls


def _control(field: LicenseField, *, is_set: bool) -> forms.Field:
    options: dict[str, Any] = {
        "label": field.title,
        "required": field.required and not is_set,
        "initial": field.default,
        "help_text": _help(field, is_set=is_set),
        "error_messages": {"required": f"Enter a value for {field.title}."},
    }
    match field.type:
        case Type.INTEGER:
            return forms.IntegerField(
                **options | {"required": field.required and field.default is None}
            )
        case Type.BOOLEAN:
            return forms.BooleanField(**options | {"required": False})
        case Type.ENUM:
            blank = [] if field.default in field.options else [("", "Choose…")]
            choices = [*blank, *((option, option) for option in field.options)]
            return forms.ChoiceField(choices=choices, **options)
        case Type.PASSWORD:
            return forms.CharField(widget=_password_input(), strip=False, **options)
        case Type.TEXT:
            return forms.CharField(
                widget=forms.Textarea(attrs={"rows": 3}), strip=False, **options
            )
        case _:
            return forms.CharField(**options)


def _password_input() -> forms.PasswordInput:
    # Returns what was typed if another field has an error, but never a stored value.
    return forms.PasswordInput(
        attrs={"autocomplete": "new-password"}, render_value=True
    )


def _help(field: LicenseField, *, is_set: bool) -> str:
    if is_set:
        return "A value is stored. Leave this empty to keep it."
    hidden = "Not shown to the customer." if field.hidden else ""
    if field.type == Type.INTEGER and field.default is not None:
        return f"Leave empty to use {field.default}. {hidden}".strip()
    return hidden


def shown_values(license: License, fields: Sequence[LicenseField]) -> dict[str, object]:
    """Return what a license's form shows, without passwords."""
    expires_at = license.expires_at
    values = {
        value_name(field): license.field_values.get(field.name, field.default)
        for field in fields
        if field.type != Type.PASSWORD
    }
    return {
        "channel": str(license.channel_id),
        "type": license.type,
        "expiry": AT if expires_at else NEVER,
        "expires_at": expires_at,
        # Reveals changes that no other value shows, such as of a password.
        "sequence": license.sequence,
        **values,
    }


def license_changes(
    cleaned: Mapping[str, Any], fields: Sequence[LicenseField], license: License
) -> dict[str, Any]:
    """Return a valid form's changes to a license, as the service takes them."""
    at = cleaned["expires_at"]
    kept = license.expires_at
    if at and kept and at == kept.replace(second=0, microsecond=0):
        at = kept  # the form shows no seconds
    return {
        "channel": cleaned["channel"],
        "type": cleaned["type"],
        "expires_at": at,
        "field_values": field_values(cleaned, fields, license),
    }


def field_values(
    cleaned: Mapping[str, Any],
    fields: Sequence[LicenseField],
    license: License | None = None,
) -> dict[str, object]:
    """Return the license's own values, without defaults."""
    stored = license.field_values if license else {}
    secrets = password_values(license) if license else {}
    values: dict[str, object] = {}
    for field in fields:
        value = cleaned[value_name(field)]
        if field.type == Type.PASSWORD and not value:
            is_kept = field.name in secrets and not cleaned.get(_clear_name(field))
            value = secrets[field.name] if is_kept else None
        if value == "" and field.default is None:
            value = None
        if value is not None and (field.name in stored or value != field.default):
            values[field.name] = value
    return values


def channels_shown(channels: Iterable[Channel]) -> list[Channel]:
    """Return an application's channels, the default first."""
    return sorted(channels, key=lambda channel: (not channel.is_default, channel.name))
