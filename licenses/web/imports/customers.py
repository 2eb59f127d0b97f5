"""Import of customers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from licenses.models import Customer
from licenses.selectors import customers_for_team
from licenses.services.many import change_customers, create_customers
from licenses.web.customers import NewCustomerForm
from licenses.web.imports.pages import Effect, Import, ImportForm, Plan, import_page
from portal.database.uniqueness import validate_values
from portal.http.values import parse_id
from teams.actors import Actor
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page
from teams.web.lists.export import csv_template
from teams.web.lists.reading import Line, Problem

FIELDS = ("name", "email", "custom_id")
LABELS = {"name": "Name", "email": "E-mail address", "custom_id": "Custom ID"}
COLUMNS = {
    "name": "The customer's name. Needed for a new customer.",
    "email": "Who to contact about licenses.",
    "custom_id": "Your own ID for this customer, such as a CRM number.",
    "id": "Berth's ID, in a file that you have downloaded here. Finds the customer.",
    **dict.fromkeys(("active_licenses", "added", "archived"), ""),
}
SKIP, UPDATE = "skip", "update"


class CustomerImportForm(ImportForm):
    existing = forms.ChoiceField(
        label="Customers that exist already",
        choices=[
            (SKIP, "Leave them as they are"),
            (UPDATE, "Change them to what the file says"),
        ],
        initial=SKIP,
        widget=forms.RadioSelect,
        help_text="A customer is found by its ID, else by the custom ID, else by name "
        "and e-mail address.",
    )


@team_page(Permission.CUSTOMER_MANAGE)
def import_customers(request: TeamRequest) -> HttpResponse:
    """Import customers: add new ones, and change others if asked to."""

    def plan(form: ImportForm, lines: list[Line]) -> Plan:
        updates = form.cleaned_data["existing"] == UPDATE
        return _CustomerPlan(request.actor, lines, updates=updates).made()

    return import_page(
        request,
        CustomerImportForm,
        Import(
            title="Import customers",
            noun="customer",
            back="customers",
            template="customers-import-template",
            done="Customers imported: {add} added, {change} changed, {keep} left as "
            "they are.",
            columns=COLUMNS,
            plan=plan,
        ),
    )


@require_safe
@team_page(Permission.CUSTOMER_MANAGE)
def customers_template(request: TeamRequest) -> HttpResponse:
    """Send an empty file with the columns of an import."""
    return csv_template(FIELDS, "customers")


class _CustomerPlan:
    """Finds what each line does. Inside a transaction, customers are locked."""

    def __init__(self, actor: Actor, lines: list[Line], *, updates: bool) -> None:
        self._actor = actor
        self._lines = lines
        self._updates = updates
        self._plan = Plan()
        self._seen: dict[tuple[object, ...], int] = {}
        self._new: list[Customer] = []
        self._changes: list[tuple[Customer, dict[str, str]]] = []
        customers = _customers_named(actor.team_id, lines)
        self._by_id = {str(row.pk): row for row in customers}
        self._by_custom_id = {row.custom_id: row for row in customers if row.custom_id}
        self._by_name: dict[str, list[Customer]] = {}
        for row in customers:
            self._by_name.setdefault(row.name, []).append(row)

    def made(self) -> Plan:
        """Return the plan of all lines."""
        for line in self._lines:
            self._read(line)
        self._plan.act = self._act
        return self._plan

    def _act(self) -> None:
        create_customers(actor=self._actor, customers=self._new)
        change_customers(actor=self._actor, changes=self._changes)

    def _read(self, line: Line) -> None:
        before = len(self._plan.problems)
        values = self._values(line)
        if len(self._plan.problems) > before:
            return
        same = self._same(line, values)
        existing = same[0] if same else None
        if len(same) > 1:
            message = "Several customers have this name. Enter a custom ID."
            self._report(line, "name", [message])
            return
        if self._is_repeated(line, values, existing):
            return
        row = existing or Customer(team_id=self._actor.team_id)
        changes = {
            name: value for name, value in values.items() if getattr(row, name) != value
        }
        if existing is not None and not (self._updates and changes):
            self._plan.effects.append(Effect(line.number, row.name, "keep"))
            return
        if self._is_valid(line, row, values):
            self._plan_change(line, row, changes, is_new=existing is None)

    def _plan_change(
        self, line: Line, row: Customer, changes: dict[str, str], *, is_new: bool
    ) -> None:
        name = changes.get("name", row.name)
        if is_new:
            new = Customer(team_id=self._actor.team_id, **changes)
            self._new.append(new)
            details = [text for text in (new.email, new.custom_id) if text]
            self._plan.effects.append(Effect(line.number, name, "add", details))
            return
        details = [
            f"{LABELS[field]}: {getattr(row, field) or 'empty'} → {value or 'empty'}"
            for field, value in changes.items()
        ]
        self._changes.append((row, changes))
        self._plan.effects.append(Effect(line.number, row.name, "change", details))

    def _values(self, line: Line) -> dict[str, str]:
        """Return what a line has for the fields of a customer, as the form reads it."""
        values = {}
        for name in FIELDS:
            if name not in line.cells:
                continue
            try:
                values[name] = NewCustomerForm.base_fields[name].clean(line[name])
            except ValidationError as error:
                self._report(line, name, error.messages)
        return values

    def _same(self, line: Line, values: dict[str, str]) -> list[Customer]:
        """Return the customers that a line may be about."""
        if (row := self._by_id.get(line["id"].strip().lower())) is not None:
            return [row]
        if custom_id := values.get("custom_id"):
            row = self._by_custom_id.get(custom_id)
            return [row] if row else []
        named = self._by_name.get(values.get("name", ""), [])
        return [row for row in named if values.get("email", row.email) == row.email]

    def _is_repeated(
        self, line: Line, values: dict[str, str], existing: Customer | None
    ) -> bool:
        if existing is not None:
            key: tuple[object, ...] = ("customer", existing.pk)
            words = "Line {} is about the same customer."
        elif custom_id := values.get("custom_id"):
            key, words = ("custom_id", custom_id), "Line {} has the same custom ID."
        else:
            key = (values.get("name"), values.get("email"))
            words = (
                "Line {} has the same name and e-mail address. Give each a custom ID, "
                "or remove one."
            )
        first = self._seen.setdefault(key, line.number)
        if first != line.number:
            self._report(line, "", [words.format(first)])
        return first != line.number

    def _is_valid(self, line: Line, row: Customer, values: dict[str, str]) -> bool:
        before = len(self._plan.problems)
        stored = {name: getattr(row, name) for name in FIELDS}
        try:
            validate_values(Customer(team_id=row.team_id, **(stored | values)))
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                self._report(line, name if name in FIELDS else "", messages)
        holder = self._by_custom_id.get(values.get("custom_id", ""))
        if holder is not None and holder.pk != row.pk:
            message = "Another customer has this custom ID."
            self._report(line, "custom_id", [message])
        return len(self._plan.problems) == before

    def _report(self, line: Line, column: str, messages: Iterable[str]) -> None:
        self._plan.problems.extend(
            Problem(line.number, column, message) for message in messages
        )


def _customers_named(team_id: uuid.UUID, lines: list[Line]) -> list[Customer]:
    """Return the team's customers that lines may be about."""
    ids = {pk for line in lines if (pk := parse_id(line["id"].strip()))}
    custom_ids = {text for line in lines if (text := line["custom_id"].strip())}
    names = {line["name"].strip() for line in lines if not line["custom_id"].strip()}
    rows: Any = customers_for_team(team_id).filter(
        Q(pk__in=ids) | Q(custom_id__in=custom_ids) | Q(name__in=names)
    )
    if transaction.get_connection().in_atomic_block:
        rows = rows.select_for_update(no_key=True)
    # Always locked in the same order, so that two imports cannot deadlock.
    return list(rows.order_by("pk"))
