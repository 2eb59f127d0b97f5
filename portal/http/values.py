"""IDs and instants as clients write them in URLs and bodies."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.dateparse import parse_datetime
from django_filters import rest_framework as filters

INSTANT_FORM = "Enter an instant with its zone, such as 2026-12-31T23:59:59Z."


def parse_id(text: str) -> uuid.UUID | None:
    """Parse a UUID in its usual form of 36 characters."""
    try:
        identifier = uuid.UUID(text)
    except ValueError:
        return None
    return identifier if str(identifier) == text.lower() else None


def parse_instant(text: object) -> datetime:
    """Parse an RFC 3339 instant with a zone; return it in UTC, in whole seconds.

    Raises:
        ValueError: it is not an instant, or not in the years 2000 to 9999.
    """
    instant = parse_datetime(text) if isinstance(text, str) else None
    if instant is None or instant.tzinfo is None:
        raise ValueError(INSTANT_FORM)
    try:
        instant = instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise ValueError(INSTANT_FORM) from error
    if instant.year < 2000:
        raise ValueError("Enter an instant in the years 2000 to 9999.")
    return instant


class _InstantFormField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            return parse_instant(value)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class InstantFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]  # untyped
    """Filters by an exact instant."""

    field_class = _InstantFormField


class CreatedFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    """Filters by when a row was created."""

    created_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_before = InstantFilter(field_name="created_at", lookup_expr="lt")
