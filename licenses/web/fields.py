"""Pages of an application's license fields."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from licenses.models import LicenseField
from licenses.selectors import (
    license_fields_for_application,
    licenses_with_value,
)
from licenses.services import (
    change_license_field,
    create_license_field,
    delete_license_field,
)
from licenses.web.applications import application_address, find_application
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import CreateForm, EditForm, refusals_in
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page
from teams.web.once import once

Type = LicenseField.Type
OPTION_LENGTH = 254


class _FieldValues(forms.Form):
    title = forms.CharField(max_length=150, help_text="The name shown to people.")
    default = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Used by licenses that set no value of their own. Enter true or "
        "false for a Boolean; a Password has no default.",
    )
    options = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For an Enum: the allowed values, one per line.",
    )
    required = forms.BooleanField(
        required=False,
        help_text="Licenses are not issued without a value or a default.",
    )
    hidden = forms.BooleanField(
        required=False, help_text="In the license file, but not shown to the customer."
    )

    def typed(self, type: str) -> dict[str, Any]:
        """Return the default and the options as a field of this type stores them."""
        values = self.cleaned_data
        if "default" in values:
            try:
                values["default"] = _default(type, values["default"])
            except ValidationError as error:
                self.add_error("default", error)
        if "options" in values:
            values["options"] = _options(values["options"])
            if any(len(option) > OPTION_LENGTH for option in values["options"]):
                self.add_error(
                    "options", f"Options have at most {OPTION_LENGTH} characters."
                )
            elif type == Type.ENUM and not values["options"]:
                self.add_error("options", "Enter at least one option.")
            elif type != Type.ENUM and values["options"]:
                self.add_error("options", "Only an Enum has options. Clear this field.")
        return values


class NewFieldForm(_FieldValues, CreateForm):
    name = forms.CharField(
        max_length=100,
        help_text="The name for programs, such as seat_count: letters, digits and _. "
        "It cannot be changed later.",
        widget=forms.TextInput(attrs={"autocapitalize": "none"}),
    )
    type = forms.ChoiceField(
        choices=Type.choices,
        help_text="It cannot be changed later. Text has several lines.",
    )
    field_order = ("name", "title", "type", "default", "options", "required", "hidden")

    def clean(self) -> dict[str, Any]:
        return self.typed(self.cleaned_data.get("type", ""))


class FieldForm(_FieldValues, EditForm):
    def __init__(self, *args: Any, type: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.type = type
        default = self.fields["default"]
        default.help_text = "Used by licenses that set no value of their own."
        default.widget = _WIDGETS.get(type, forms.TextInput)()
        if type == Type.PASSWORD:
            del self.fields["default"]
        if type != Type.ENUM:
            del self.fields["options"]

    def clean(self) -> dict[str, Any]:
        return self.typed(self.type)


class _BooleanSelect(forms.Select):
    def __init__(self) -> None:
        choices = [("", "no default"), ("true", "true"), ("false", "false")]
        super().__init__(choices=choices)


class _ShortTextarea(forms.Textarea):
    def __init__(self) -> None:
        super().__init__(attrs={"rows": 4})


_WIDGETS: dict[str, type[forms.Widget]] = {
    Type.BOOLEAN: _BooleanSelect,
    Type.INTEGER: forms.NumberInput,
    Type.TEXT: _ShortTextarea,
}


@team_page(Permission.APPLICATION_MANAGE)
def add_field(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Define a field that licenses of the application carry."""
    application = find_application(request, application_slug)
    form = NewFieldForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            field = create_license_field(
                actor=request.actor, application=application, values=form.entered
            )
            address = application_address(request, application)
            return submission.done(address, f"{field.title} is added.")
    return render_dialog(
        request,
        form=form,
        title=f"Add license field to {application.name}",
        text="Every license of the application gets this field, including those "
        "already issued, with the default or empty. A Password is encrypted and "
        "appears only in license files.",
        submit="Add license field",
        back=application_address(request, application),
    )


@team_page(Permission.APPLICATION_MANAGE)
def edit_field(
    request: TeamRequest, application_slug: str, field_id: uuid.UUID
) -> HttpResponse:
    """Change a field; its name and type stay."""
    application = find_application(request, application_slug)
    field: LicenseField = find(license_fields_for_application(application), field_id)

    def save(row: LicenseField, changes: dict[str, Any]) -> object:
        return change_license_field(actor=request.actor, field=row, changes=changes)

    return edit_dialog(
        request,
        FieldForm,
        field,
        values=_field_values,
        save=save,
        options={"type": field.type},
        title=f"Edit license field {field.title}",
        details="licenses/field_edit.html",
        done="The license field is saved.",
        back=application_address(request, application),
        license_field=field,
    )


@team_page(Permission.APPLICATION_MANAGE)
def remove_field(
    request: TeamRequest, application_slug: str, field_id: uuid.UUID
) -> HttpResponse:
    """Delete a field, after showing what licenses lose."""
    application = find_application(request, application_slug)
    field: LicenseField = find(license_fields_for_application(application), field_id)
    return confirm(
        request,
        lambda: delete_license_field(actor=request.actor, field=field),
        title=f"Delete license field {field.title}?",
        details="licenses/field_delete.html",
        submit="Delete license field",
        done=f"{field.title} is deleted.",
        back=application_address(request, application),
        application=application,
        license_field=field,
        losing=licenses_with_value(field),
    )


def _default(type: str, text: str) -> object:
    text = text.replace("\r\n", "\n")
    if not text:
        return None
    if type == Type.INTEGER:
        try:
            return int(text)
        except ValueError:
            raise ValidationError("Enter a whole number.") from None
    if type == Type.BOOLEAN:
        if text.lower() not in {"true", "false"}:
            raise ValidationError("Enter true or false.")
        return text.lower() == "true"
    if type == Type.STRING and "\n" in text:
        raise ValidationError("A String has one line. Choose Text for several.")
    return text


def _options(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def _field_values(field: LicenseField) -> dict[str, Any]:
    default = field.default
    if isinstance(default, bool):
        default = str(default).lower()
    return {
        "title": field.title,
        "default": "" if default is None else str(default),
        "options": "\n".join(field.options),
        "required": field.required,
        "hidden": field.hidden,
    }
