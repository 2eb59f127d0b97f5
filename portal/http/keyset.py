"""Keyset pagination of long lists: as fast on the last page as on the first."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

RowT = TypeVar("RowT", bound=Model)
PAGE_SIZE = 25
# Cursors before this year are invalid: no row is older.
FIRST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """A page of a list, with the cursors of its neighbors.

    ``newer`` and ``older`` are values of the parameter ``page``, None at the ends.
    """

    rows: Sequence[RowT]
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class _Cursor:
    at: datetime
    pk: uuid.UUID
    is_back: bool

    def __str__(self) -> str:
        text = f"{'<' if self.is_back else '>'}{self.at.isoformat()} {self.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> _Cursor | None:
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            plain = base64.urlsafe_b64decode(padded).decode("ascii")
            text, _, pk = plain[1:].partition(" ")
            at = datetime.fromisoformat(text)
            if at.tzinfo is None or at.astimezone(UTC).year < FIRST_YEAR:
                return None
            return cls(at.astimezone(UTC), uuid.UUID(pk), plain[:1] == "<")
        except (ValueError, OverflowError, binascii.Error):
            return None


def keyset_page(
    rows: QuerySet[RowT], cursor: str, *, by: str = "created_at", size: int = PAGE_SIZE
) -> Page[RowT]:
    """Return the page of ``rows``, newest first, at a cursor.

    ``by`` names the column of instants to sort by. An invalid cursor, such as one from
    a truncated URL, returns the first page.
    """
    start = _Cursor.parse(cursor) if cursor else None
    is_back = start is not None and start.is_back
    ordering = (by, "pk") if is_back else (f"-{by}", "-pk")
    ordered = rows.order_by(*ordering)
    if start is not None:
        ordered = ordered.filter(_beyond(start, by))
    fetched = list(ordered[: size + 1])
    has_more = len(fetched) > size
    page = fetched[:size]
    if is_back:
        page.reverse()
    return Page(
        rows=page,
        newer=_edge(page, 0, by, is_back=True)
        if (has_more if is_back else start is not None)
        else None,
        older=_edge(page, -1, by, is_back=False) if is_back or has_more else None,
    )


def cursor_after(row: Model, *, by: str = "created_at") -> str:
    """Return the cursor of the page that starts after a row."""
    return str(_Cursor(getattr(row, by), row.pk, is_back=False))


def _beyond(cursor: _Cursor, by: str) -> Q:
    # The first condition is redundant, but lets the database use the index.
    side = "gt" if cursor.is_back else "lt"
    return Q(**{f"{by}__{side}e": cursor.at}) & (
        Q(**{f"{by}__{side}": cursor.at})
        | Q(**{by: cursor.at, f"pk__{side}": cursor.pk})
    )


def _edge(rows: Sequence[Any], index: int, by: str, *, is_back: bool) -> str | None:
    if not rows:
        return None
    row = rows[index]
    return str(_Cursor(getattr(row, by), row.pk, is_back))
