"""The people of a customer, as contacts see and change them."""

from __future__ import annotations

import uuid

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from customers.mail import site_of
from customers.models import Contact, ContactRole
from customers.selectors import administrators_of_customer, contacts_with_links
from customers.services.contacts import add_contact, remove_contact
from customers.services.links import send_links
from customers.web.base import CustomerRequest, customer_page, customer_url
from customers.web.contact_dialog import after_removal, edit_contact
from customers.web.forms import ContactFields, RoleField
from portal.http.dialogs import confirm, render_dialog
from portal.http.forms import CreateForm, refusals_in
from portal.http.pages import render_page
from teams.web.base import find
from teams.web.once import once


class InviteForm(ContactFields, CreateForm):
    role = RoleField()
    message = forms.CharField(
        label="A line for them",
        max_length=300,
        required=False,
        help_text="Such as what you would like them to do.",
    )


@require_safe
@customer_page()
def people(request: CustomerRequest) -> HttpResponse:
    """List who sees the customer's pages."""
    context = {"people": contacts_with_links(request.customer)}
    return render_page(request, "customers/people.html", context)


@customer_page(ContactRole.ADMINISTRATOR)
def invite(request: CustomerRequest) -> HttpResponse:
    """Add a person, and mail them a link."""
    form = InviteForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            values = form.entered
            contact = add_contact(
                actor=request.actor,
                customer=request.customer,
                email=values["email"],
                name=values["name"],
                role=ContactRole(values["role"]),
            )
            send_links(
                actor=request.actor,
                customer=request.customer,
                contacts=[contact],
                site=site_of(request),
                message=values["message"],
            )
            return submission.done(
                customer_url(request, "people"), f"{contact.email} gets a mail."
            )
    return render_dialog(
        request,
        form=form,
        title="Invite a person",
        submit="Send invitation",
        back=customer_url(request, "people"),
    )


@customer_page(ContactRole.ADMINISTRATOR)
def send_again(request: CustomerRequest, contact_id: uuid.UUID) -> HttpResponse:
    """Mail a person another link, after asking."""
    contact = _find(request, contact_id)
    return confirm(
        request,
        lambda: send_links(
            actor=request.actor,
            customer=request.customer,
            contacts=[contact],
            site=site_of(request),
        ),
        title=f"Send {contact.email} a new link?",
        text="Links sent before stop working.",
        submit="Send",
        tone="primary",
        done=f"{contact.email} gets a mail.",
        back=customer_url(request, "people"),
    )


@customer_page(ContactRole.ADMINISTRATOR)
def edit_person(request: CustomerRequest, contact_id: uuid.UUID) -> HttpResponse:
    """Change a person's name or role."""
    contact = _find(request, contact_id)
    return edit_contact(request, contact, customer_url(request, "people"))


@customer_page(ContactRole.ADMINISTRATOR)
def remove_person(request: CustomerRequest, contact_id: uuid.UUID) -> HttpResponse:
    """Remove a person, after saying what stops."""
    contact = _find(request, contact_id)
    others = administrators_of_customer(request.customer).exclude(pk=contact.pk)
    is_last = contact.is_administrator and not others.exists()
    text = (
        f"They see nothing of {request.customer.name} from now on."
        f"{after_removal(contact)}"
    )
    if is_last:
        text = (
            "This is the only administrator. Make somebody else an administrator first."
        )
    elif contact == request.contact:
        text = f"This is you. You see nothing of {request.customer.name} from now on."
    return confirm(
        request,
        lambda: remove_contact(actor=request.actor, contact=contact),
        title=f"Remove {contact.email}?",
        text=text,
        submit="Remove",
        done=f"{contact.email} is removed.",
        back=customer_url(request, "people"),
        is_possible=not is_last,
    )


def _find(request: CustomerRequest, contact_id: uuid.UUID) -> Contact:
    contact: Contact = find(contacts_with_links(request.customer), contact_id)
    return contact
