"""The page that issues a license."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone

from licenses.models import Application, Customer, License
from licenses.selectors import (
    applications_for_team,
    channels_for_application,
    contains_text,
    customers_for_team,
    license_fields_for_application,
)
from licenses.services import create_customer, issue_license
from licenses.web.license_forms import (
    TermsForm,
    channels_shown,
    field_values,
    value_name,
)
from licenses.web.licenses import license_address
from portal.http.forms import CreateForm, refusals_in
from portal.http.pages import render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page
from teams.web.once import once

NEW_CUSTOMER = "new"
CUSTOMERS_SHOWN = 8
APPLICATIONS_SHOWN = 500
# What a link to the page may fill in.
LINKED = ("customer", "application", "customer_search")
# The part to render again, by the button that was pressed.
PARTS = {
    "customers": "licenses/license_add_options.html",
    "application": "licenses/license_add_application.html",
}
SERVICE_NAMES = {"name": "customer_name", "email": "customer_email"}


class NewLicenseForm(TermsForm, CreateForm):
    customer_search = forms.CharField(label="Customer", required=False)
    customer = forms.CharField(required=False)
    customer_name = forms.CharField(label="Name", max_length=254, required=False)
    customer_email = forms.EmailField(
        label="E-mail address", max_length=254, required=False
    )
    application = forms.ChoiceField(
        error_messages={"required": "Choose an application."}
    )
    # The application whose fields the browser shows.
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        customers: QuerySet[Customer],
        applications: Sequence[Application],
        application: Application | None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.customers = customers
        self.chosen_application = application
        choice = self.fields["application"]
        assert isinstance(choice, forms.ChoiceField)  # noqa: S101 -- narrows
        choice.choices = [
            ("", "Choose…"),
            *((item.slug, item.name) for item in applications),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("customer") == NEW_CUSTOMER:
            if not cleaned.get("customer_name") and "customer_name" not in self.errors:
                self.add_error("customer_name", "Enter the new customer's name.")
        else:
            cleaned["customer"] = self._customer(cleaned)
            if cleaned["customer"] is None:
                self.add_error("customer", "Choose a customer, or add a new one.")
        expires_at = cleaned["expires_at"]
        if expires_at and expires_at <= timezone.now():
            self.add_error("expires_at", "Choose a time in the future.")
        return cleaned

    def _customer(self, cleaned: dict[str, Any]) -> Customer | None:
        """Return the chosen customer, or the only one that the search finds."""
        if chosen := cleaned.get("customer", ""):
            return find_customer(self.customers, chosen)
        text = cleaned.get("customer_search", "").strip()
        found = list(self.customers.filter(contains_text(text))[:2]) if text else []
        return found[0] if len(found) == 1 else None


@team_page(Permission.LICENSE_ISSUE)
def issue(request: TeamRequest) -> HttpResponse:
    """Issue a license. The buttons of the form's steps only render it again."""
    step = request.POST.get("step", "")
    form = _form(request, is_sent=request.method == "POST" and not step)
    if form.is_valid():
        with (
            refusals_in(request, form, SERVICE_NAMES),
            once(request, form) as submission,
        ):
            license = _issue(request, form)
            return submission.done(
                license_address(request, license),
                "The license is issued. The next steps are below.",
            )
    return _render(request, form, step)


def _render(request: TeamRequest, form: NewLicenseForm, step: str) -> HttpResponse:
    return render_page(
        request,
        "licenses/license_add.html",
        {
            "form": form,
            "customers": _customers_shown(form),
            "application": form.chosen_application,
            "new_customer": NEW_CUSTOMER,
            "searched": str(form["customer_search"].value() or "").strip(),
        },
        partial=PARTS.get(step),
    )


def _issue(request: TeamRequest, form: NewLicenseForm) -> License:
    cleaned = form.cleaned_data
    application = form.chosen_application
    assert application is not None  # noqa: S101 -- the form is valid
    customer = cleaned["customer"]
    if customer == NEW_CUSTOMER:
        customer = create_customer(
            actor=request.actor,
            team=request.team,
            name=cleaned["customer_name"],
            email=cleaned["customer_email"],
        )
    return issue_license(
        actor=request.actor,
        customer=customer,
        application=application,
        channel=cleaned["channel"],
        type=cleaned["type"],
        expires_at=cleaned["expires_at"],
        field_values=field_values(cleaned, form.license_fields),
    )


def _form(request: TeamRequest, *, is_sent: bool) -> NewLicenseForm:
    data = request.POST if request.method == "POST" else request.GET
    applications = applications_for_team(request.team.pk).order_by("name", "pk")
    choices = list(applications[:APPLICATIONS_SHOWN])
    application = _chosen(choices, data.get("application", ""))
    options: dict[str, Any] = {
        "customers": customers_for_team(request.team.pk).filter(archived_at=None),
        "applications": choices,
        "application": application,
    }
    if application is not None:
        options |= {
            "channels": channels_shown(channels_for_application(application)),
            "license_fields": list(
                license_fields_for_application(application).order_by("name")
            ),
        }
    if is_sent:
        return NewLicenseForm(data, **options)
    form = NewLicenseForm(**options)
    form.initial = _entered(form, request)
    return form


def _chosen(applications: Sequence[Application], slug: str) -> Application | None:
    if not slug and len(applications) == 1:
        return applications[0]
    return next((item for item in applications if item.slug == slug), None)


def _entered(form: NewLicenseForm, request: TeamRequest) -> dict[str, Any]:
    """Return what was entered so far, for the current controls."""
    application = form.chosen_application
    slug = application.slug if application else ""
    start = {"type": License.Type.PAID.value, "expiry": "365"}
    if request.method != "POST":
        linked = {name: request.GET.get(name, "") for name in LINKED}
        customer = find_customer(form.customers, linked["customer"])
        if customer is not None:
            linked["customer_search"] = customer.name
        return {**start, **linked, "application": slug, "shown": slug}
    data = request.POST
    own = [value_name(field) for field in form.license_fields]
    is_other = data.get("shown", "") != slug
    # Values of another application's fields do not apply.
    left_out = {"channel", *own} if is_other else set()
    entered = {
        name: field.widget.value_from_datadict(data, {}, name)
        for name, field in form.fields.items()
        if name not in left_out
    }
    return {**entered, "application": slug, "shown": slug}


def find_customer(customers: QuerySet[Customer], text: str) -> Customer | None:
    """Return the customer with this ID, or None."""
    try:
        return customers.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        return None


def _customers_shown(form: NewLicenseForm) -> list[Customer]:
    """Return the customers to choose from: the matches and the one already chosen."""
    text = str(form["customer_search"].value() or "").strip()
    # PostgreSQL rejects NUL.
    matches = form.customers.filter(contains_text(text.replace("\x00", "")))
    rows = list(matches[:CUSTOMERS_SHOWN])
    chosen = find_customer(form.customers, str(form["customer"].value() or ""))
    if chosen is not None and chosen not in rows:
        rows.insert(0, chosen)
    return rows
