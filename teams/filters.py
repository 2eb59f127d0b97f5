from __future__ import annotations

from django_filters import rest_framework as filters

from audit.tags import EventTag
from portal.http.values import CreatedFilter
from teams.models import ApiToken, ApiTokenQuerySet


class ApiTokenFilter(CreatedFilter):
    kind = filters.ChoiceFilter(choices=ApiToken.Kind.choices)
    state = filters.ChoiceFilter(
        choices=[("active", "active"), ("stopped", "stopped")],
        method="filter_state",
        label="active: neither revoked nor expired; stopped: either of them",
    )
    created_by = filters.UUIDFilter(
        field_name="created_by_id", label="ID of the user who created it"
    )

    def filter_state(
        self, rows: ApiTokenQuerySet, _name: str, state: str
    ) -> ApiTokenQuerySet:
        return rows.usable() if state == "active" else rows.stopped()


class AuditEventFilter(CreatedFilter):
    tag = filters.ChoiceFilter(choices=[(tag.value, tag.value) for tag in EventTag])
    actor = filters.CharFilter(
        field_name="actor_label",
        lookup_expr="icontains",
        label="Part of the actor's label",
    )
    actor_id = filters.UUIDFilter()
    subject = filters.CharFilter(
        field_name="subject_label",
        lookup_expr="icontains",
        label="Part of the subject's label",
    )
    subject_id = filters.UUIDFilter()
