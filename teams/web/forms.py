from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import ValidationError
from django.utils.text import slugify

from teams.permissions import Role, may_assign

ROLE_HELP = {
    Role.OWNER: "everything, including other owners",
    Role.ADMIN: "everything except owners and the export of all data",
    Role.DEVELOPER: "applications, registries and images; views customers",
    Role.SUPPORT: "finds, changes and revokes licenses; views the audit log",
    Role.SALES: "customers and licenses",
    Role.READ_ONLY: "can view, but not change",
}
ROLE_CHOICES = [
    (role.value, f"{role.value.capitalize()}: {text}")
    for role, text in ROLE_HELP.items()
]
SLUG_LENGTH = 64
SLUG_HELP = "Lowercase letters and digits, separated by single dots, dashes or _."


def slug_from(name: str) -> str:
    """Return a slug derived from a name, or "" if that is impossible."""
    plain = re.sub(r"[^a-z0-9]+", "-", slugify(name))
    return plain[:SLUG_LENGTH].strip("-")


class PasswordField(forms.CharField):
    """A new password, kept exactly as it was typed."""

    def __init__(self) -> None:
        super().__init__(
            max_length=128,
            strip=False,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            help_text=" ".join(password_validators_help_texts()),
        )


class SetUpForm(forms.Form):
    team_name = forms.CharField(max_length=150, help_text="Your company's name.")
    team_slug = forms.CharField(
        label="Team slug",
        max_length=64,
        required=False,
        help_text=f"Short name in addresses. Leave empty to derive it from the team's "
        f"name. {SLUG_HELP}",
    )
    email = forms.EmailField(
        label="Your e-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    password = PasswordField()

    def clean_team_slug(self) -> str:
        slug: str = self.cleaned_data["team_slug"]
        slug = slug or slug_from(self.cleaned_data.get("team_name", ""))
        if not slug and self.cleaned_data.get("team_name"):
            raise ValidationError("No slug can be derived from this name. Enter one.")
        return slug


class NewAccountForm(forms.Form):
    name = forms.CharField(
        label="Your name",
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = PasswordField()


def assignable_roles(assigner: Role) -> list[tuple[str, str]]:
    """Return the choices of roles that a member with this role may grant."""
    return [
        (value, label)
        for value, label in ROLE_CHOICES
        if may_assign(assigner=assigner, role=value)
    ]


class RoleField(forms.ChoiceField):
    """A role; the choices are those that the actor may grant."""

    def __init__(self) -> None:
        super().__init__(
            widget=forms.RadioSelect,
            error_messages={
                "required": "Choose a role.",
                "invalid_choice": "Choose one of these roles. You cannot grant others.",
            },
        )

    def offer(self, assigner: Role) -> None:
        """Offer the roles that a member with this role may grant."""
        self.choices = assignable_roles(assigner)


class ExpiryField(forms.DateTimeField):
    """An instant in the team's time zone, or none."""

    def __init__(self) -> None:
        super().__init__(
            label="Expires",
            required=False,
            widget=forms.DateTimeInput(
                attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
            ),
            error_messages={"invalid": "Enter a date and time, or leave this empty."},
        )

    def clean(self, value: Any) -> Any:
        instant = super().clean(value)
        # Outside these years, conversion to another time zone may fail.
        if instant is not None and not 2000 <= instant.year <= 9998:
            raise forms.ValidationError("Enter a year between 2000 and 9998.")
        return instant
