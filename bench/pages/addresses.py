"""The portal's lists and searches to measure, each with a text that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet

from licenses.models import Customer, License
from licenses.selectors import customers_for_team, licenses_for_team
from portal.http.keyset import NEWEST_FIRST, Sort, cursor_after
from registries.selectors import pulls_for_team
from teams.models import Team

# The offset of the deep page, equivalent to page 2,000 of the customers.
DEEP = 50_000


@dataclass(frozen=True, slots=True)
class Address:
    """A page: its name in the report, its path, and a text that it must show."""

    name: str
    path: str
    shows: str


def page_addresses(team: Team) -> list[Address]:
    """Return the pages of a team that :mod:`bench.seed.crowd` has filled."""
    base = f"/t/{team.slug}/"
    customer = customers_for_team(team.pk)[10]
    license = licenses_for_team(team.pk)[10]
    return [
        Address("Dashboard", base, "Pulls per day"),
        Address("Images", f"{base}images", "registry0"),
        Address("Applications", f"{base}applications", "App 0"),
        *_customers(f"{base}customers", team, customer),
        *_licenses(f"{base}licenses", team, license),
        *_pulls(f"{base}pulls", team, license),
        Address("Why?", _with(f"{base}why", license=str(license.pk)), "step by step"),
        Address("Audit log", f"{base}audit", "Team created"),
    ]


def _customers(path: str, team: Team, customer: Customer) -> list[Address]:
    deep = _deep(customers_for_team(team.pk))
    searches = {
        "a whole name": customer.name,
        "a common word": "Acme",
        "a part of an address": customer.email,
        "a custom ID": customer.custom_id,
        "nothing found": "qqqqqqqq",
    }
    return [
        Address("Customers", path, "Active licenses"),
        Address("Customers, deep in the list", _with(path, page=deep), "Previous"),
        *(
            Address(f"Customers, search: {what}", _with(path, search=text), text)
            for what, text in searches.items()
        ),
        Address("A customer", f"{path}/{customer.pk}", customer.name),
    ]


def _licenses(path: str, team: Team, license: License) -> list[Address]:
    deep, name = _deep(licenses_for_team(team.pk)), license.customer.name
    return [
        Address("Licenses", path, "Expires"),
        Address("Licenses, deep in the list", _with(path, page=deep), "Previous"),
        *(
            Address(f"Licenses, {state}", _with(path, state=state), "Expires")
            for state in ("active", "expiring", "expired", "revoked")
        ),
        Address("Licenses, a type", _with(path, type="trial"), "No matching license"),
        Address("Licenses, search: a customer", _with(path, search=name), name),
        Address("Licenses, search: a common word", _with(path, search="Acme"), "Acme"),
        Address("A license", f"{path}/{license.pk}", name),
    ]


def _pulls(path: str, team: Team, license: License) -> list[Address]:
    deep = _deep(pulls_for_team(team.pk), Sort("last_at"))
    slug, pk, name = license.application.slug, str(license.pk), license.customer.name
    service = _with(path, search="registry0/my-org/service7")
    return [
        Address("Pulls", path, "my-org/service"),
        Address("Pulls, deep in the list", _with(path, page=deep), "Previous"),
        Address("Pulls, refused", _with(path, outcome="refused"), "License expired"),
        Address("Pulls, an application", _with(path, application=slug), slug),
        Address("Pulls, a registry", _with(path, registry="registry0"), "registry0"),
        Address("Pulls, a license", _with(path, license=pk), name),
        Address("Pulls, a repository", service, "service7"),
    ]


def _deep(rows: QuerySet[Any], sort: Sort = NEWEST_FIRST) -> str:
    """Return the cursor of a page far down a list."""
    return cursor_after(rows, min(DEEP, rows.count() // 2), sort)


def _with(path: str, **parameters: str) -> str:
    return f"{path}?{urlencode(parameters)}"
