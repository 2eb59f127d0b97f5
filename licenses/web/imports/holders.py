"""Finds the customers that lines of licenses name."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower

from licenses.models import Customer
from licenses.selectors import customers_for_team
from licenses.web.customers import NewCustomerForm
from portal.database.uniqueness import validate_values
from portal.http.values import parse_id
from teams.actors import Actor
from teams.web.lists.reading import Line

Found = tuple[Customer | None, tuple[str, str] | None]
COLUMN_OF = {"name": "customer", "email": "email", "custom_id": "custom_id"}
_WORDS = {
    "custom_id": "custom ID",
    "email": "e-mail address",
    "customer": "name",
}


class Holders:
    """The customers that lines name, with new ones if ``adds``.

    Inside a transaction, they are locked.
    """

    def __init__(self, actor: Actor, lines: list[Line], *, adds: bool) -> None:
        self._team_id = actor.team_id
        self._adds = adds
        self._new: dict[tuple[str, str], Customer] = {}
        self._new_ids: set[uuid.UUID] = set()
        self._by: dict[str, dict[str, list[Customer]]] = {
            name: {} for name in ("id", *_WORDS)
        }
        for row in self._named(lines):
            for name, key in (
                ("id", str(row.pk)),
                ("custom_id", row.custom_id),
                ("email", row.email.lower()),
                ("customer", row.name),
            ):
                self._by[name].setdefault(key, []).append(row)

    @property
    def new(self) -> list[Customer]:
        return list(self._new.values())

    def is_new(self, customer: Customer) -> bool:
        return customer.pk in self._new_ids

    def of(self, line: Line) -> Found:
        """Return a line's customer, or the column that is wrong and why.

        An ID of the team decides, else the custom ID, else the e-mail address, else the
        name: the first of them that the line has.
        """
        if known := self._by["id"].get(line["customer_id"].strip().lower()):
            return known[0], None
        for column, words in _WORDS.items():
            text = line[column].strip()
            key = text.lower() if column == "email" else text
            if not key:
                continue
            found = self._by[column].get(key, [])
            name = line["customer"].strip()
            if len(found) > 1 and column == "email" and name:
                found = [row for row in found if row.name == name]
            if len(found) == 1:
                return found[0], None
            if found:
                return None, (column, f"Several customers have this {words}.")
            return self._added(line, column, key)
        return None, ("customer", "Enter a customer: custom ID, e-mail or name.")

    def _added(self, line: Line, column: str, key: str) -> Found:
        if not self._adds:
            return None, (column, f"No customer has this {_WORDS[column]}.")
        if (column, key) in self._new:
            return self._new[column, key], None
        values = {}
        for name, own in COLUMN_OF.items():
            try:
                values[name] = NewCustomerForm.base_fields[name].clean(line[own])
            except ValidationError as error:
                return None, (own, " ".join(error.messages))
        customer = Customer(team_id=self._team_id, **values)
        try:
            validate_values(customer)
        except ValidationError as error:
            name, messages = next(iter(error.message_dict.items()))
            return None, (COLUMN_OF.get(name, ""), " ".join(messages))
        self._new[column, key] = customer
        self._new_ids.add(customer.pk)
        return customer, None

    def _named(self, lines: list[Line]) -> list[Customer]:
        ids = {pk for line in lines if (pk := parse_id(line["customer_id"].strip()))}
        texts = {
            column: {text for line in lines if (text := line[column].strip())}
            for column in _WORDS
        }
        emails = {text.lower() for text in texts["email"]}
        rows: Any = customers_for_team(self._team_id).annotate(address=Lower("email"))
        rows = rows.filter(
            Q(pk__in=ids)
            | Q(custom_id__in=texts["custom_id"])
            | Q(address__in=emails)
            | Q(name__in=texts["customer"])
        )
        if transaction.get_connection().in_atomic_block:
            # So that none is archived before its license is issued.
            rows = rows.select_for_update(no_key=True)
        return list(rows.order_by("pk"))
