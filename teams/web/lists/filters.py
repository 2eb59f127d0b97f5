"""Filters of lists on pages, shown by ``portal/filters.html``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from functools import cache
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django_filters import FilterSet
from django_filters.filters import DateFilter

from portal.http.keyset import NEWEST_FIRST, Sort, keyset_page

ALL = ("", "All")


class PageFilter(FilterSet):  # type: ignore[misc]  # untyped
    """The filters of a page's list.

    Those in ``shown`` have controls, in this order; links may set the others.
    """

    shown: ClassVar[Sequence[str]] = ()

    def get_form_class(self) -> type[forms.Form]:
        fields = {name: self.filters[name].field for name in self.shown}
        for name in self.filters.keys() - set(self.shown):
            fields[name] = self.filters[name].field
            fields[name].widget = forms.HiddenInput()
        return type("FiltersForm", (forms.Form,), fields)

    def offer(self, name: str, options: Callable[[], Iterable[Any]]) -> None:
        """Offer values to choose from, looked up when they are rendered.

        The filter itself takes any text, so that an unknown value matches nothing.
        """
        self.form.fields[name].widget.choices = cache(lambda: [ALL, *options()])

    def begun(self, rows: QuerySet[Any], _order: str) -> QuerySet[Any]:
        """Return the rows that pass the filters, for a page in an order of the table.

        A list that knows in which part of the order they are may leave out the rest.
        """
        return rows

    @property
    def is_used(self) -> bool:
        """Return whether the address has a value for a filter."""
        return any(self.data.get(name) for name in self.filters)

    @property
    def number_used(self) -> int:
        """Return how many controls have a value, besides that of the search."""
        return sum(bool(self.data.get(name)) for name in self.shown if name != "search")


class DayFilter(DateFilter):  # type: ignore[misc]  # untyped
    """A day, in the browser's own control."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, **options)


class _EndOfPeriodFilter(DayFilter):
    """The first or the last day of a period, in the team's zone."""

    at: ClassVar[time]
    lookup: ClassVar[str]

    def filter(self, rows: QuerySet[Any], day: date | None) -> QuerySet[Any]:
        if day is None:
            return rows
        zone = timezone.get_current_timezone()
        return self.bound(rows, datetime.combine(day, self.at, zone))

    def bound(self, rows: QuerySet[Any], instant: datetime) -> QuerySet[Any]:
        return rows.filter(**{f"{self.field_name}__{self.lookup}": instant})


class FirstDayFilter(_EndOfPeriodFilter):
    """Keeps rows of a day, in the team's zone, and later ones."""

    at, lookup = time.min, "gte"


class LastDayFilter(_EndOfPeriodFilter):
    """Keeps rows of a day, in the team's zone, and earlier ones."""

    at, lookup = time.max, "lte"


def search_input(placeholder: str) -> forms.TextInput:
    attributes = {"placeholder": placeholder, "autocomplete": "off"}
    return forms.TextInput(attrs={**attributes, "spellcheck": "false"})


def matching(filters: PageFilter) -> QuerySet[Any]:
    """Return the rows that pass the filters; none if a filter is invalid."""
    rows: QuerySet[Any] = filters.qs if filters.is_valid() else filters.queryset.none()
    return rows


def filtered_list(filters: PageFilter, sort: Sort = NEWEST_FIRST) -> dict[str, Any]:
    """Return a list's page of rows and its filters, without a table's heads."""
    return {
        "page": keyset_page(matching(filters), filters.data.get("page", ""), sort),
        "filters": filters.form,
        "is_filtered": filters.is_used,
        "filters_used": filters.number_used,
    }
