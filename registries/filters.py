from __future__ import annotations

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from portal.http.values import parse_id
from registries.models import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG, PullEvent


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
