"""Fields that several forms about contacts share."""

from __future__ import annotations

from django import forms

from customers.models import ContactRole
from portal.http.forms import EditForm

ROLE_CHOICES = [
    (ContactRole.ADMINISTRATOR, "Administrator: pull credentials and people"),
    (ContactRole.READER, "Reader: can see everything, and change nothing"),
]


class RoleField(forms.ChoiceField):
    """A contact's role."""

    def __init__(self, label: str = "Role") -> None:
        super().__init__(
            label=label,
            choices=ROLE_CHOICES,
            widget=forms.RadioSelect,
            initial=ContactRole.READER,
            error_messages={"required": "Choose a role."},
        )


class ContactFields(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(max_length=150, required=False)


class PersonForm(EditForm):
    name = forms.CharField(max_length=150, required=False)
    role = RoleField()
