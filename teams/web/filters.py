"""Filters of lists on pages."""

from __future__ import annotations

from typing import Any

from django_filters import FilterSet


def rows_found(filters: FilterSet) -> Any:
    """Return the rows that pass the filters; none if one is not understood.

    ``portal/filter_errors.html`` says which.
    """
    return filters.qs if filters.is_valid() else filters.queryset.none()
