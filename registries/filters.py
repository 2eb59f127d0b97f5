from __future__ import annotations

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from portal.http.values import parse_id
from registries.models import (
    PRIVATE_REGISTRY_ID,
    PRIVATE_REGISTRY_SLUG,
    ImageManifest,
    ImageRepository,
    ImageTag,
    PullEvent,
)
from registries.private_registry.selectors import untagged


class PullFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    license = filters.UUIDFilter(field_name="license_id")
    registry = filters.CharFilter(
        method="filter_registry",
        label="ID or slug of a registry; `private-registry` is the private registry",
    )
    outcome = filters.CharFilter(
        label="`allowed`, the reason of a refusal, or how the registry failed: "
        "`registry_rejected`, `registry_unreachable` and so on"
    )
    application = filters.CharFilter(
        field_name="application_slug", label="Slug of an application"
    )

    class Meta:
        model = PullEvent
        fields: list[str] = []

    def filter_registry(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        if text == PRIVATE_REGISTRY_SLUG:
            return rows.filter(registry_id=PRIVATE_REGISTRY_ID)
        named = Q(registry_slug=text)
        identifier = parse_id(text)
        return rows.filter(named | Q(registry_id=identifier) if identifier else named)


class ImageFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    search = filters.CharFilter(
        field_name="name", lookup_expr="startswith", label="Beginning of the name"
    )

    class Meta:
        model = ImageRepository
        fields: list[str] = []


class ImageTagFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    name = filters.CharFilter()
    digest = filters.CharFilter(
        field_name="manifest__digest", label="Digest of the image that a tag names"
    )

    class Meta:
        model = ImageTag
        fields: list[str] = []


class ImageManifestFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    untagged = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        method="filter_untagged",
        label="true: those that no tag names and no index needs; false: all others",
    )

    class Meta:
        model = ImageManifest
        fields: list[str] = []

    def filter_untagged(
        self, rows: QuerySet[ImageManifest], _name: str, text: str
    ) -> QuerySet[ImageManifest]:
        left = untagged(rows)
        if text == "true":
            return left
        return rows.exclude(pk__in=left.order_by().values("pk"))
