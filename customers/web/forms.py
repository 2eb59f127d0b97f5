"""Fields that several forms about contacts share."""

from __future__ import annotations

from django import forms

from customers.models import ContactRole

ROLE_CHOICES = [
    (ContactRole.ADMINISTRATOR, "Administrator: pull credentials and people"),
    (ContactRole.READER, "Reader: can see everything, and change nothing"),
]


class RoleField(forms.ChoiceField):
    """A contact's role."""

    def __init__(self) -> None:
        super().__init__(
            choices=ROLE_CHOICES,
            widget=forms.RadioSelect,
            initial=ContactRole.READER,
            error_messages={"required": "Choose a role."},
        )


class ContactFields(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(max_length=150, required=False)
