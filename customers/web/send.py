"""*Send to customer*: choose people, add a line, look at the mail, send it."""

from __future__ import annotations

import uuid
from email.utils import parseaddr
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.http import Http404, HttpResponse
from django.utils import timezone

from customers.mail import link_mail, site_of
from customers.models import (
    LINK_LIFETIME,
    Contact,
    ContactRole,
    name_for_customer,
)
from customers.pulling.image_names import images_to_pull
from customers.selectors import contacts_of_customer, look_of_team
from customers.services.contacts import add_contact
from customers.services.links import send_links
from customers.web.contacts import contacts_url, find_customer
from customers.web.forms import RoleField
from licenses.models import Application, Customer, License
from licenses.selectors import licenses_for_team
from portal.http.forms import CreateForm, refusals_in
from portal.http.pages import render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once


class SendForm(CreateForm):
    contacts = forms.MultipleChoiceField(
        label="People",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "Somebody has been removed. Choose again."},
    )
    new = forms.CharField(
        label="New people",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="One address per line, such as anna@example.com or Anna Smith "
        "<anna@example.com>.",
    )
    role = RoleField(label="Role of new people")
    message = forms.CharField(
        label="A line from you",
        max_length=300,
        required=False,
        help_text="Stands in the mail, above the link.",
    )

    def __init__(self, *args: Any, customer: Customer, **options: Any) -> None:
        super().__init__(*args, **options)
        self.people = {str(each.pk): each for each in contacts_of_customer(customer)}
        chosen: Any = self.fields["contacts"]
        chosen.choices = [(key, _label(each)) for key, each in self.people.items()]
        if not self.people:
            del self.fields["contacts"]

    def clean_new(self) -> list[tuple[str, str]]:
        """Return names and addresses, each once."""
        lines = [line.strip() for line in self.cleaned_data["new"].splitlines()]
        people = {}
        for line in filter(None, lines):
            name, address = parseaddr(line)
            try:
                validate_email(address)
            except ValidationError as error:
                raise ValidationError(f"“{line[:100]}” is no address.") from error
            people[address.lower()] = name
        return [(name, address) for address, name in people.items()]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not values.get("contacts") and not values.get("new") and not self.errors:
            raise ValidationError("Choose somebody, or enter an address.")
        return values

    def chosen(self) -> list[Contact]:
        """Return the contacts that exist, also those entered as if they were new."""
        entered = {address for _name, address in self.cleaned_data["new"]}
        keys = set(self.cleaned_data.get("contacts", ()))
        return [
            each
            for key, each in self.people.items()
            if key in keys or each.email in entered
        ]

    def added(self) -> list[tuple[str, str]]:
        """Return names and addresses of people who are no contacts yet."""
        known = {each.email for each in self.people.values()}
        return [
            (name, address)
            for name, address in self.cleaned_data["new"]
            if address not in known
        ]


def _label(contact: Contact) -> str:
    name = f"{contact.name} ({contact.email})" if contact.name else contact.email
    return f"{name}, {contact.role}"


@team_page(Permission.CONTACT_MANAGE)
def send(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Mail people at a customer a link to their pages.

    ``license`` in the query makes it a mail about this license of theirs.
    """
    customer = find_customer(request, customer_id)
    license = _named_license(request, customer)
    initial = {
        "contacts": request.GET.getlist("contact"),
        "new": "" if contacts_of_customer(customer).exists() else customer.email,
        "role": ContactRole.ADMINISTRATOR,
    }
    form = SendForm(request.POST or None, customer=customer, initial=initial)
    preview = None
    names = {"email": "new"}
    if form.is_valid() and "preview" in request.POST:
        preview = _preview(request, customer, form, license)
    elif form.is_valid():
        with refusals_in(request, form, names), once(request, form) as submission:
            number = _send(request, customer, form, license)
            people = "1 person gets" if number == 1 else f"{number} people get"
            return submission.done(contacts_url(request, customer), f"{people} a mail.")
    context: dict[str, Any] = {
        "form": form,
        "customer": customer,
        "preview": preview,
        "license": license,
        "license_name": name_for_customer(license) if license else "",
        "back": _back(request, customer, license),
        "unnamed": _without_names(customer, license),
        "has_support": _has_support(request),
    }
    if preview is not None:
        context["others"] = len(form.chosen()) + len(form.added()) - 1
    return render_page(request, "customers/send.html", context)


def _without_names(customer: Customer, license: License | None) -> list[Application]:
    """Return the applications of which Install would show no image by name."""
    licenses = licenses_for_team(customer.team_id).filter(customer=customer).active()
    if license is not None:
        licenses = licenses.filter(pk=license.pk)
    by_application: dict[Application, list[uuid.UUID]] = {}
    for each in licenses:
        by_application.setdefault(each.application, []).append(each.pk)
    return [
        application
        for application, pks in by_application.items()
        if not images_to_pull(application, pks)
    ]


def _has_support(request: TeamRequest) -> bool:
    look = look_of_team(request.team)
    return bool(look.support_email or look.support_url or look.reply_to)


def _named_license(request: TeamRequest, customer: Customer) -> License | None:
    """Return the customer's license that the query names, or raise Http404."""
    text = request.GET.get("license", "")
    if not text:
        return None
    try:
        license_id = uuid.UUID(text)
    except ValueError:
        raise Http404 from None
    licenses = licenses_for_team(request.team.pk).filter(customer=customer)
    license: License = find(licenses, license_id)
    return license


def _back(request: TeamRequest, customer: Customer, license: License | None) -> str:
    if license is None:
        return contacts_url(request, customer)
    return team_url(request, "licenses-detail", license_id=license.pk)


def _send(
    request: TeamRequest, customer: Customer, form: SendForm, license: License | None
) -> int:
    added = [
        add_contact(
            actor=request.actor,
            customer=customer,
            email=address,
            name=name,
            role=ContactRole(form.cleaned_data["role"]),
        )
        for name, address in form.added()
    ]
    links = send_links(
        actor=request.actor,
        customer=customer,
        contacts=[*form.chosen(), *added],
        site=site_of(request),
        message=form.cleaned_data["message"],
        license=license,
    )
    return len(links)


def _preview(
    request: TeamRequest, customer: Customer, form: SendForm, license: License | None
) -> EmailMessage:
    """Return the mail to the first of the people, with a link that leads nowhere."""
    new = [
        Contact(customer=customer, team=request.team, name=name, email=address)
        for name, address in form.added()
    ]
    return link_mail(
        look_of_team(request.team),
        [*form.chosen(), *new][0],
        link=f"{site_of(request)}/c/links/…",
        message=form.cleaned_data["message"],
        until=timezone.now() + LINK_LIFETIME,
        license=license,
    )
