"""The dialog in which vendors and administrators change a contact."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpResponse

from customers.models import Contact
from customers.services.contacts import change_contact, lock_people
from customers.web.forms import PersonForm
from portal.http.dialogs import edit_dialog
from teams.web.base import ActingRequest


@transaction.atomic
def edit_contact(request: ActingRequest, contact: Contact, back: str) -> HttpResponse:
    """Change a contact's name or role."""
    # Before the contact's row, in the order in which others lock both.
    lock_people(contact.customer)
    return edit_dialog(
        request,
        PersonForm,
        contact,
        values=lambda row: {"name": row.name, "role": row.role},
        save=lambda row, changes: change_contact(
            actor=request.actor, contact=row, changes=changes
        ),
        title=f"Edit {contact.email}",
        done=f"{contact.email} is saved.",
        back=back,
    )


def after_removal(contact: Contact) -> str:
    """Return what a dialog says about secrets that a person keeps, or "" for none."""
    if not contact.is_administrator:
        return ""
    return (
        " License files and pull credentials that they have seen go on working: rotate "
        "or revoke those that they should not keep."
    )
