"""Keyset pagination of long lists: as fast on the last page as on the first."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import F, Field, Model, Q, QuerySet
from django.db.models.expressions import Combinable

RowT = TypeVar("RowT", bound=Model)
PAGE_SIZE = 25
BATCH_SIZE = 2000
# Cursors before this year are invalid: no row is older.
FIRST_YEAR = 2000
_KEY = "sort_key"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of rows: by a column or an expression, then by ID.

    The value is never null: an expression replaces null by what it means, so that one
    index serves both directions. ``where`` holds for all rows anyway, and lets the
    database find an index of another table.
    """

    by: str | Combinable = "created_at"
    is_descending: bool = True
    where: Q = field(default_factory=Q)

    def ordered(self, rows: QuerySet[RowT], *, is_back: bool = False) -> QuerySet[RowT]:
        """Return all rows in this order, or back to front."""
        key = F(self.by) if isinstance(self.by, str) else self.by
        sign = "-" if self.is_descending is not is_back else ""
        keyed: QuerySet[RowT] = rows.filter(self.where).annotate(**{_KEY: key})
        return keyed.order_by(f"{sign}{_KEY}", f"{sign}pk")

    def beyond(self, cursor: Cursor) -> Q:
        """Match the rows after a cursor, or before one that leads back."""
        side = "lt" if self.is_descending is not cursor.is_back else "gt"
        # The first condition is redundant, but lets the database use the index.
        return Q(**{f"{_KEY}__{side}e": cursor.value}) & (
            Q(**{f"{_KEY}__{side}": cursor.value})
            | Q(**{_KEY: cursor.value, f"pk__{side}": cursor.pk})
        )


NEWEST_FIRST = Sort()


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """A page of a list, with the cursors of its neighbors.

    ``previous`` and ``next`` are values of the parameter ``page``, None at the ends.
    """

    rows: Sequence[RowT]
    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: beside the row with this value and ID."""

    value: Any
    pk: uuid.UUID
    is_back: bool = False

    @classmethod
    def at(cls, row: Any, *, is_back: bool = False) -> Cursor:
        return cls(getattr(row, _KEY), row.pk, is_back)

    def __str__(self) -> str:
        at = self.value
        value = at.isoformat() if isinstance(at, datetime) else str(at)
        text = f"{'<' if self.is_back else '>'}{value} {self.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, field: Field[Any, Any]) -> Cursor | None:
        """Return the cursor that a text stands for, or None if it is damaged."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            plain = base64.urlsafe_b64decode(padded).decode()
            value, _, pk = plain[1:].rpartition(" ")
            return cls(_parsed(value, field), uuid.UUID(pk), plain[:1] == "<")
        except (ValueError, OverflowError, binascii.Error, ValidationError):
            return None


def keyset_page(
    rows: QuerySet[RowT],
    cursor: str,
    sort: Sort = NEWEST_FIRST,
    *,
    size: int = PAGE_SIZE,
) -> Page[RowT]:
    """Return the page of ``rows`` at a cursor.

    An invalid cursor, such as one from a truncated URL, returns the first page.
    """
    ordered = sort.ordered(rows)
    start = Cursor.parse(cursor, _field(ordered)) if cursor else None
    is_back = start is not None and start.is_back
    if start is not None:
        ordered = sort.ordered(rows, is_back=is_back).filter(sort.beyond(start))
    fetched = list(first_rows(ordered, size + 1))
    has_more = len(fetched) > size
    page = fetched[:size]
    if is_back:
        page.reverse()
    has_previous = has_more if is_back else start is not None
    return Page(
        rows=page,
        previous=_edge(page, 0, is_back=True) if has_previous else None,
        next=_edge(page, -1, is_back=False) if is_back or has_more else None,
    )


def first_rows(ordered: QuerySet[RowT], number: int) -> QuerySet[RowT]:
    """Return the first rows, chosen by their IDs alone.

    Only an ID and the order are read of rows that are passed over, often from an index,
    and what a page shows of related rows is looked up for those that it shows.
    """
    chosen = ordered.values("pk")[:number]
    shown = ordered.all()
    # The IDs are of rows that match.
    shown.query.clear_where()
    return shown.filter(pk__in=chosen)


def in_batches(
    rows: QuerySet[RowT], sort: Sort = NEWEST_FIRST, size: int = BATCH_SIZE
) -> Iterator[list[RowT]]:
    """Yield rows in order, in batches that cost the same at any depth.

    Each batch is a separate query, so that a slow reader holds no transaction open.
    Rows added behind the reader's place are left out.
    """
    rest = ordered = sort.ordered(rows)
    while batch := list(rest[:size]):
        yield batch
        rest = ordered.filter(sort.beyond(Cursor.at(batch[-1])))


def cursor_after(rows: QuerySet[Any], place: int, sort: Sort = NEWEST_FIRST) -> str:
    """Return the cursor of the page that starts after a place in the rows."""
    return str(Cursor.at(sort.ordered(rows)[place]))


def _field(ordered: QuerySet[Any]) -> Field[Any, Any]:
    field: Field[Any, Any] = ordered.query.annotations[_KEY].output_field
    return field


def _parsed(text: str, field: Field[Any, Any]) -> Any:
    value = field.to_python(text)
    if isinstance(value, datetime):
        if value.tzinfo is None or value.astimezone(UTC).year < FIRST_YEAR:
            raise ValueError(text)
        return value.astimezone(UTC)
    if "\x00" in text:
        raise ValueError(text)
    return value


def _edge(rows: Sequence[Any], index: int, *, is_back: bool) -> str | None:
    return str(Cursor.at(rows[index], is_back=is_back)) if rows else None
