"""Every list of the portal: in each order, with each filter, and deep down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from alerts.selectors import alerts_without_tests, deliveries_of_webhook
from alerts.web import alerts, deliveries
from audit.selectors import audit_events_for_team
from bench.harness.errors import BenchError
from bench.pages.addresses import Address, with_query
from bench.pages.filter_values import FILTER_VALUES
from bench.pages.values import Values
from customers.web.pulling import pulls as own_pulls
from images.selectors import image_repositories_for_team
from images.web import images
from licenses.selectors import (
    applications_with_licenses,
    customers_for_team,
    licenses_for_team,
)
from licenses.web import applications, customers, licenses
from portal.http.keyset import NEWEST_FIRST, Sort, cursor_after
from registries.selectors import pulls_for_team, registries_for_team
from registries.web import pulls, registries
from teams.selectors import api_tokens_for_team
from teams.web import api_tokens, audit
from teams.web.lists.filters import PageFilter
from teams.web.lists.tables import Table

SECTION = "Lists"
# How far down a deep page is, if the list is as long; shorter ones have none.
DEEP = 50_000
SHORT = 50


@dataclass(frozen=True, slots=True)
class PortalList:
    """A list by the name of its address, with its rows, filters and heads."""

    route: str
    title: str
    rows: Callable[[Values], QuerySet[Any]]
    filters: type[PageFilter] = PageFilter
    table: Table | None = None
    sort: Sort = NEWEST_FIRST
    visitor: str = "owner"

    @property
    def orders(self) -> list[str]:
        """Return the values of ``sort``: "" for the list's own order, then others."""
        if self.table is None:
            return [""]
        names = [column.name for column in self.table.columns if column.by is not None]
        offered = [f"{sign}{name}" for name in names for sign in ("", "-")]
        return ["", *(order for order in offered if order != self.table.order)]

    def sort_by(self, order: str) -> Sort:
        return self.table.sort(self.table.order_of(order)) if self.table else self.sort


LISTS = (
    PortalList(
        "customers",
        "Customers",
        lambda values: customers_for_team(values.team.pk),
        customers.CustomerPageFilter,
        customers.TABLE,
    ),
    PortalList(
        "licenses",
        "Licenses",
        lambda values: licenses_for_team(values.team.pk).unarchived(),
        licenses.LicensePageFilter,
        licenses.TABLE,
    ),
    PortalList(
        "pulls",
        "Pulls",
        lambda values: pulls_for_team(values.team.pk),
        pulls.PullPageFilter,
        pulls.TABLE,
    ),
    PortalList(
        "applications",
        "Applications",
        lambda values: applications_with_licenses(values.team.pk),
        applications.ApplicationPageFilter,
        applications.TABLE,
    ),
    PortalList(
        "private-registry",
        "Private images",
        lambda values: image_repositories_for_team(values.team.pk),
        images.ImagePageFilter,
        images.TABLE,
    ),
    PortalList(
        "images",
        "External registries",
        lambda values: registries_for_team(values.team.pk),
        table=registries.TABLE,
    ),
    PortalList(
        "alerts",
        "Alerts",
        lambda values: alerts_without_tests(values.team.pk),
        alerts.AlertPageFilter,
        alerts.TABLE,
    ),
    PortalList(
        "alerts-webhook-detail",
        "Deliveries of a webhook",
        lambda values: deliveries_of_webhook(values.webhook),
        deliveries.DeliveryPageFilter,
    ),
    PortalList(
        "audit",
        "Audit log",
        lambda values: audit_events_for_team(values.team.pk),
        audit.AuditPageFilter,
        audit.TABLE,
    ),
    PortalList(
        "api-tokens",
        "API tokens",
        lambda values: api_tokens_for_team(values.team.pk),
        api_tokens.ApiTokenPageFilter,
        api_tokens.TABLE,
    ),
    PortalList(
        "customer:pulls",
        "A customer's own pulls",
        lambda values: pulls_for_team(values.team.pk).filter(
            license=values.busiest_license
        ),
        own_pulls.CustomerPullFilter,
        sort=Sort("last_at"),
        visitor="contact",
    ),
)


def list_addresses(values: Values) -> Iterator[Address]:
    """Yield each list in each order: whole, by each filter, and far down.

    Those that differ in the order alone have the same name.

    Raises:
        BenchError: a list, or a value of a filter, is missing here.
    """
    _require_all()
    for shown in LISTS:
        for order in shown.orders:
            for name, query in _queries(shown, order, values):
                path = with_query(values.path(shown.route), sort=order, **query)
                yield Address(SECTION, f"{shown.title}{name}", path, shown.visitor)


def _queries(
    shown: PortalList, order: str, values: Values
) -> Iterator[tuple[str, dict[str, str]]]:
    yield "", {}
    rows = shown.rows(values)
    if (count := rows.count()) > SHORT:
        place = min(DEEP, count // 2)
        yield ", deep", {"page": cursor_after(rows, place, shown.sort_by(order))}
    of_list = FILTER_VALUES.get(shown.route)
    measured = of_list(values) if of_list else {}
    for name in shown.filters.base_filters:
        if not measured.get(name):
            text = f"bench/pages/filter_values.py has no {name} of {shown.route}."
            raise BenchError(text)
        for words, text in measured[name].items():
            yield f", {name.replace('_', ' ')}: {words}", {name: text}


def _require_all() -> None:
    known = {shown.filters for shown in LISTS}
    missing = [each.__name__ for each in _below(PageFilter) if each not in known]
    if missing:
        raise BenchError(f"bench/pages/lists.py lacks the lists of {missing}.")


def _below(filters: type[PageFilter]) -> Iterator[type[PageFilter]]:
    for each in filters.__subclasses__():
        yield each
        yield from _below(each)
