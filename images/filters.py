from __future__ import annotations

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from images.models import ImageManifest
from images.selectors import untagged
from portal.http.values import CreatedFilter, InstantFilter


class ImageFilter(CreatedFilter):
    name = filters.CharFilter()
    search = filters.CharFilter(
        field_name="name", lookup_expr="startswith", label="Beginning of the name"
    )


class PushedFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    pushed_after = InstantFilter(field_name="pushed_at", lookup_expr="gte")
    pushed_before = InstantFilter(field_name="pushed_at", lookup_expr="lt")


class ImageTagFilter(PushedFilter):
    name = filters.CharFilter()
    digest = filters.CharFilter(
        field_name="manifest__digest", label="Digest of the image that a tag names"
    )


class ImageManifestFilter(PushedFilter):
    untagged = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        method="filter_untagged",
    )

    @extend_schema_field(
        {
            "type": "boolean",
            "description": "true: manifests without a tag that no index needs; false: "
            "all others",
        }
    )
    def filter_untagged(
        self, rows: QuerySet[ImageManifest], _name: str, text: str
    ) -> QuerySet[ImageManifest]:
        matching = untagged(rows)
        if text == "true":
            return matching
        return rows.exclude(pk__in=matching.order_by().values("pk"))
