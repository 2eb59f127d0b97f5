"""The table of a list: one declaration of its columns for the page and for CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable

from portal.http.keyset import Sort, keyset_page
from teams.web.lists.filters import PageFilter, matching
from teams.web.lists.spreadsheets import csv_text

# Counting more would cost more than the page.
COUNTED = 10_000
Cell = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: with a ``title`` of the page, with a ``cell`` of the CSV.

    ``name`` heads it in the CSV, and is the value of the parameter ``sort``, which
    there is if the column has something to sort ``by``.
    """

    name: str
    title: str = ""
    cell: Cell | None = None
    by: str | Combinable | None = None
    # See Sort.
    where: Q = field(default_factory=Q)
    # Whether the first click sorts descending: for times that have passed.
    descends: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head on a page.

    ``sort`` is the order that a click asks for, or "" if the column has none.
    """

    title: str
    sort: str
    direction: str  # of aria-sort, "" if the list is sorted by something else


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows match, counted up to a limit."""

    number: int
    is_exact: bool

    def __str__(self) -> str:
        number = str(intcomma(self.number))
        return number if self.is_exact else f"more than {number}"


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a list, and its order unless another is asked for.

    An order is the name of a column, with "-" before it if it is descending. The total
    is counted up to ``counted`` rows.
    """

    columns: tuple[Column, ...]
    order: str
    counted: int = COUNTED

    def order_of(self, asked: str) -> str:
        """Return the order that an address asks for, or the list's own."""
        offered = {column.name for column in self.columns if column.by is not None}
        return asked if asked.removeprefix("-") in offered else self.order

    def sort(self, order: str) -> Sort:
        """Return how rows are sorted in an order of the table."""
        name = order.removeprefix("-")
        column = next(column for column in self.columns if column.name == name)
        assert column.by is not None  # noqa: S101 -- see order_of
        return Sort(column.by, order.startswith("-"), column.where)

    def heads(self, order: str) -> list[Head]:
        """Return the heads of the columns on a page in this order."""
        return [_head(column, order) for column in self.columns if column.title]

    def csv(self, batches: Iterable[Iterable[Any]]) -> Iterator[str]:
        """Yield a CSV document, a batch of rows at a time."""
        columns = [(c.name, c.cell) for c in self.columns if c.cell is not None]
        yield csv_text([[name for name, _ in columns]])
        for batch in batches:
            yield csv_text([cell(row) for _, cell in columns] for row in batch)


def table_list(filters: PageFilter, table: Table) -> dict[str, Any]:
    """Return what a list's page shows: rows in the asked order, heads and total.

    There are no rows if a filter is invalid.
    """
    rows = matching(filters)
    order = table.order_of(filters.data.get("sort", ""))
    begun, cursor = filters.begun(rows, order), filters.data.get("page", "")
    return {
        "page": keyset_page(begun, cursor, table.sort(order)),
        "heads": table.heads(order),
        "order": order if order != table.order else "",
        "total": total_of(rows, table.counted),
        "filters": filters.form,
        "is_filtered": filters.is_used,
        "filters_used": filters.number_used,
    }


def total_of(rows: QuerySet[Any], most: int) -> Total:
    """Count rows, up to a number."""
    number = rows.order_by().values("pk")[: most + 1].count()
    return Total(min(number, most), is_exact=number <= most)


def instant_cell(at: datetime | None) -> str:
    """Return an instant as CSV has it, in UTC; "" for none."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""


def _head(column: Column, order: str) -> Head:
    name = column.name
    if column.by is None:
        return Head(column.title, sort="", direction="")
    up, down = name, f"-{name}"
    if order == up:
        return Head(column.title, sort=down, direction="ascending")
    if order == down:
        return Head(column.title, sort=up, direction="descending")
    return Head(column.title, sort=down if column.descends else up, direction="")
