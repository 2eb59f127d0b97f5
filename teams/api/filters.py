from __future__ import annotations

from django_filters import rest_framework as filters

from audit.models import AuditEvent
from audit.tags import EventTag
from teams.api.base import InstantFilter


class AuditEventFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    tag = filters.ChoiceFilter(choices=[(tag.value, tag.value) for tag in EventTag])
    actor_id = filters.UUIDFilter()
    subject_id = filters.UUIDFilter()
    created_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_before = InstantFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = AuditEvent
        fields: list[str] = []
