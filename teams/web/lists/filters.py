"""Filters of lists on pages, shown by ``portal/filters.html``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, ClassVar

from django import forms
from django_filters import FilterSet
from django_filters.filters import DateFilter

from portal.http.keyset import keyset_page

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


class DayFilter(DateFilter):  # type: ignore[misc]  # untyped
    """A day, in the browser's own control."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(widget=widget, **options)


def search_input(placeholder: str) -> forms.TextInput:
    attributes = {"placeholder": placeholder, "autocomplete": "off"}
    return forms.TextInput(attrs={**attributes, "spellcheck": "false"})


def filtered_list(filters: PageFilter, *, by: str = "created_at") -> dict[str, Any]:
    """Return a list's page of rows and its filters; no rows if a filter is invalid."""
    rows = filters.qs if filters.is_valid() else filters.queryset.none()
    return {
        "page": keyset_page(rows, filters.data.get("page", ""), by=by),
        "filters": filters.form,
        "is_filtered": any(filters.data.get(name) for name in filters.filters),
    }
