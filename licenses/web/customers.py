"""Pages of customers."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_POST, require_safe
from django_filters import filters

from licenses.filters import CustomerFilter, from_first_name
from licenses.models import Customer
from licenses.selectors import customers_with_licenses
from licenses.services import (
    archive_customer,
    change_customer,
    create_customer,
    delete_customer,
    restore_customer,
)
from licenses.services.bulk import LIMIT
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import CreateForm, EditForm, refusals_in
from portal.http.pages import go_to, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import PageFilter, search_input
from teams.web.lists.tables import Column, Table, instant_cell, table_list
from teams.web.once import once


class _CustomerFields(forms.Form):
    name = forms.CharField(max_length=254)
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        required=False,
        help_text="Who to contact about licenses.",
    )
    custom_id = forms.CharField(
        label="Custom ID",
        max_length=254,
        required=False,
        help_text="Your own ID for this customer, such as a CRM number.",
    )


class NewCustomerForm(_CustomerFields, CreateForm):
    pass


class CustomerForm(_CustomerFields, EditForm):
    pass


class CustomerPageFilter(PageFilter, CustomerFilter):
    shown = ("search", "archived")
    leaves_out_archived = False
    search = filters.CharFilter(
        method="filter_search",
        label="Search",
        widget=search_input("Name, e-mail or custom ID"),
    )
    archived = filters.ChoiceFilter(
        method="filter_archived",
        label="Show",
        choices=[("false", "Current"), ("true", "Archived")],
    )

    def begun(self, rows: QuerySet[Customer], order: str) -> QuerySet[Customer]:
        text = self.data.get("search", "").strip()
        if not text or order not in ("name", "-name"):
            return rows
        return from_first_name(rows, "name", self._team_id, text, order)


TABLE = Table(
    (
        Column("name", "Customer", lambda row: row.name, by=Lower("name")),
        Column("email", "E-mail address", lambda row: row.email),
        Column("custom_id", "Custom ID", lambda row: row.custom_id),
        Column(
            "active_licenses", "Active licenses", lambda row: str(row.active_licenses)
        ),
        Column(
            "added",
            "Added",
            lambda row: instant_cell(row.created_at),
            by="created_at",
            descends=True,
        ),
        Column("archived", cell=lambda row: instant_cell(row.archived_at)),
        Column("id", cell=lambda row: str(row.pk)),
    ),
    order="-added",
)


@require_safe
@team_page(Permission.CUSTOMER_READ)
def customers(request: TeamRequest) -> HttpResponse:
    """List the team's customers, with search."""
    context = table_list(filtered_customers(request), TABLE)
    context["limit"] = LIMIT
    if request.actor.may(Permission.CUSTOMER_MANAGE):
        context["actions"] = [("Archive…", "customers-bulk-archive", "danger")]
    return render_page(
        request,
        "licenses/customers.html",
        context,
        partial="licenses/customers_list.html",
    )


@require_safe
@team_page(Permission.CUSTOMER_READ)
def export_customers(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered customers as CSV."""
    return export_list(request, filtered_customers(request), TABLE, "customers")


@team_page(Permission.CUSTOMER_MANAGE)
def add_customer(request: TeamRequest) -> HttpResponse:
    """Add a customer."""
    form = NewCustomerForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            customer = create_customer(
                actor=request.actor, team=request.team, **form.entered
            )
            address = _address(request, customer)
            return submission.done(address, f"{customer.name} is added.")
    return render_dialog(
        request,
        form=form,
        title="Add customer",
        submit="Add customer",
        back=team_url(request, "customers"),
    )


@team_page(Permission.CUSTOMER_MANAGE)
def edit_customer(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Change a customer's name, address or custom ID."""
    customer = find(customers_with_licenses(request.team.pk), customer_id)

    def save(row: Customer, changes: dict[str, Any]) -> object:
        return change_customer(actor=request.actor, customer=row, changes=changes)

    return edit_dialog(
        request,
        CustomerForm,
        customer,
        values=_values,
        save=save,
        title=f"Edit {customer.name}",
        done="The customer is saved.",
        back=_address(request, customer),
    )


@team_page(Permission.CUSTOMER_MANAGE)
def archive(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Archive a customer, after showing what that stops."""
    customer = find(customers_with_licenses(request.team.pk), customer_id)
    return confirm(
        request,
        lambda: archive_customer(actor=request.actor, customer=customer),
        title=f"Archive {customer.name}?",
        details="licenses/customer_archive.html",
        submit="Archive",
        done=f"{customer.name} is archived and can no longer pull.",
        back=_address(request, customer),
        customer=customer,
    )


@team_page(Permission.CUSTOMER_MANAGE)
def delete(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Delete a customer, or archive it, after showing which of them and why."""
    customer = find(customers_with_licenses(request.team.pk), customer_id)
    current = customer.licenses.unarchived().count()
    is_kept = not current and customer.licenses.exists()
    return confirm(
        request,
        lambda: delete_customer(actor=request.actor, customer=customer),
        title=f"{'Archive' if is_kept else 'Delete'} {customer.name}?",
        details="licenses/customer_delete.html",
        submit="Archive" if is_kept else "Delete customer",
        is_possible=not current and not (is_kept and customer.archived_at),
        done=lambda archived: (
            f"{customer.name} is {'archived' if archived else 'deleted'}."
        ),
        back=_address(request, customer),
        after=team_url(request, "customers"),
        customer=customer,
        current=current,
        is_kept=is_kept,
    )


@require_POST
@team_page(Permission.CUSTOMER_MANAGE)
def restore(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Restore an archived customer."""
    customer = find(customers_with_licenses(request.team.pk), customer_id)
    restore_customer(actor=request.actor, customer=customer)
    messages.success(request, f"{customer.name} is restored.")
    return go_to(request, _address(request, customer))


def filtered_customers(request: TeamRequest) -> CustomerPageFilter:
    """Return the list's filters, with their values in the address."""
    rows = customers_with_licenses(request.team.pk)
    return CustomerPageFilter(request.GET, rows, request=request)


def _values(customer: Customer) -> dict[str, Any]:
    return {
        "name": customer.name,
        "email": customer.email,
        "custom_id": customer.custom_id,
    }


def _address(request: TeamRequest, customer: Customer) -> str:
    return team_url(request, "customers-detail", customer_id=customer.pk)
