from __future__ import annotations

from django_filters import rest_framework as filters

from audit.tags import EventTag
from portal.http.values import CreatedFilter
from teams.models import ROLES, ApiToken, ApiTokenQuerySet


class MemberFilter(CreatedFilter):
    email = filters.CharFilter(field_name="user__email", lookup_expr="iexact")
    role = filters.ChoiceFilter(choices=ROLES)


class InvitationFilter(CreatedFilter):
    email = filters.CharFilter(lookup_expr="iexact")
    role = filters.ChoiceFilter(choices=ROLES)


class ServiceAccountFilter(CreatedFilter):
    name = filters.CharFilter()
    role = filters.ChoiceFilter(choices=ROLES)


class ApiTokenFilter(CreatedFilter):
    name = filters.CharFilter()
    service_account = filters.UUIDFilter(
        field_name="service_account_id", label="ID of a service account"
    )
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
