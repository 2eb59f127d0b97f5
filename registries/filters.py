from __future__ import annotations

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from portal.http.values import CreatedFilter, InstantFilter, parse_id
from registries.models import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG, PullEvent
from registries.models.health import Outcome
from registries.providers import PROVIDERS


class PullFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    license = filters.UUIDFilter(field_name="license_id")
    credential = filters.UUIDFilter(
        field_name="credential_id", label="ID of a pull credential"
    )
    registry = filters.CharFilter(
        method="filter_registry",
        label="ID or slug of a registry; `private-registry` is the private registry",
    )
    outcome = filters.CharFilter(
        label="`allowed`, the reason of a refusal, or the failure of the registry: "
        "`registry_rejected`, `registry_unreachable` and so on"
    )
    application = filters.CharFilter(
        field_name="application_slug", label="Slug of an application"
    )
    customer = filters.UUIDFilter(
        field_name="license__customer_id", label="ID of a customer"
    )
    repository = filters.CharFilter(lookup_expr="startswith", label="How it begins")
    after = InstantFilter(field_name="last_at", lookup_expr="gte")
    before = InstantFilter(field_name="last_at", lookup_expr="lt")

    def filter_registry(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        if text == PRIVATE_REGISTRY_SLUG:
            return rows.filter(registry_id=PRIVATE_REGISTRY_ID)
        by_slug = Q(registry_slug=text)
        identifier = parse_id(text)
        if identifier is None:
            return rows.filter(by_slug)
        return rows.filter(by_slug | Q(registry_id=identifier))


class RegistryFilter(CreatedFilter):
    provider = filters.ChoiceFilter(choices=[(name, name) for name in PROVIDERS])
    health = filters.ChoiceFilter(choices=Outcome.choices)


class TrafficFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    day_after = filters.DateFilter(
        field_name="day", lookup_expr="gte", label="This day or later"
    )
    day_before = filters.DateFilter(field_name="day", lookup_expr="lt")
