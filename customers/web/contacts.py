"""The vendor's pages about a customer's contacts."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from customers.models import Contact, ContactRole
from customers.selectors import contacts_with_links, links_of_customer
from customers.services.contacts import add_contact, remove_contact
from customers.services.links import withdraw_link
from customers.web.contact_dialog import after_removal, edit_contact
from customers.web.forms import ContactFields, RoleField
from licenses.models import Customer
from licenses.selectors import customers_for_team
from portal.http.dialogs import confirm, render_dialog
from portal.http.forms import CreateForm, refusals_in
from portal.http.pages import render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once


class ContactForm(ContactFields, CreateForm):
    role = RoleField()


@require_safe
@team_page(Permission.CUSTOMER_READ)
def contacts(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """List a customer's contacts, and what became of the links sent to them."""
    customer = find_customer(request, customer_id)
    context = {"customer": customer, "people": contacts_with_links(customer)}
    return render_page(request, "customers/contacts.html", context)


@team_page(Permission.CONTACT_MANAGE)
def add(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Add a contact without sending anything."""
    customer = find_customer(request, customer_id)
    form = ContactForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            values = {**form.entered, "role": ContactRole(form.entered["role"])}
            contact = add_contact(actor=request.actor, customer=customer, **values)
            return submission.done(
                contacts_url(request, customer), f"{contact.email} is added."
            )
    return render_dialog(
        request,
        form=form,
        title="Add contact",
        text="Nothing is sent to them yet.",
        submit="Add contact",
        back=contacts_url(request, customer),
    )


@team_page(Permission.CONTACT_MANAGE)
def edit(
    request: TeamRequest, customer_id: uuid.UUID, contact_id: uuid.UUID
) -> HttpResponse:
    """Change a contact's name or role."""
    customer = find_customer(request, customer_id)
    contact: Contact = find(contacts_with_links(customer), contact_id)
    return edit_contact(request, contact, contacts_url(request, customer))


@team_page(Permission.CONTACT_MANAGE)
def remove(
    request: TeamRequest, customer_id: uuid.UUID, contact_id: uuid.UUID
) -> HttpResponse:
    """Remove a contact, after saying what stops."""
    customer = find_customer(request, customer_id)
    contact: Contact = find(contacts_with_links(customer), contact_id)
    return confirm(
        request,
        lambda: remove_contact(actor=request.actor, contact=contact),
        title=f"Remove {contact.email}?",
        text=f"They see nothing of {customer.name} from now on, and links sent to them "
        f"stop working.{after_removal(contact)}",
        submit="Remove",
        done=f"{contact.email} is removed.",
        back=contacts_url(request, customer),
    )


@team_page(Permission.CONTACT_MANAGE)
def withdraw(
    request: TeamRequest, customer_id: uuid.UUID, link_id: uuid.UUID
) -> HttpResponse:
    """Withdraw a link, after asking."""
    customer = find_customer(request, customer_id)
    link = find(links_of_customer(customer), link_id)
    return confirm(
        request,
        lambda: withdraw_link(actor=request.actor, link=link),
        title=f"Withdraw the link sent to {link.contact.email}?",
        text="They stay a contact, and can sign in with a code. To keep them out, "
        "remove them.",
        submit="Withdraw",
        done=f"The link sent to {link.contact.email} is withdrawn.",
        back=contacts_url(request, customer),
    )


def find_customer(request: TeamRequest, customer_id: uuid.UUID) -> Customer:
    """Return the team's customer, or raise Http404."""
    customer: Customer = find(customers_for_team(request.team.pk), customer_id)
    return customer


def contacts_url(request: TeamRequest, customer: Customer) -> str:
    return team_url(request, "customers-contacts", customer_id=customer.pk)
