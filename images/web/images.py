"""Pages of the private registry's images and tags."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce, Concat
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe
from django_filters import filters

from images.models import ImageManifest, ImageRepository, ImageTag
from images.selectors import (
    ImageUse,
    image_repositories_for_team,
    images_of_repository,
    pulls_of_image_repository,
    storage_by_application,
    tags_of_repository,
    untagged_images,
    use_of_tag,
)
from licenses.models import Application
from licenses.selectors import applications_for_team
from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from portal.http.keyset import Sort, keyset_page
from portal.http.pages import render_page
from registries.models import PRIVATE_REGISTRY_SLUG
from registries.selectors import names_of_holders
from registries.web.pull_links import pull_rows
from registries.web.registries import NEVER
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import PageFilter, search_input
from teams.web.lists.tables import Column, Table, instant_cell, table_list

UNTAGGED_SHOWN = 10
PULLS_SHOWN = 10
OTHER_TAGS_SHOWN = 20
REMOVED_HOLDER = "a removed user or token"
_KINDS = {
    OCI_MANIFEST: "Image, in OCI format",
    OCI_INDEX: "Index of several images, in OCI format",
    DOCKER_MANIFEST: "Image, in Docker format",
    DOCKER_LIST: "List of several images, in Docker format",
}


class ImagePageFilter(PageFilter):
    """Filters by application and by a part of the name."""

    shown = ("search", "application")
    search = filters.CharFilter(
        method="filter_search",
        label="Search",
        widget=search_input("Part of the name"),
    )
    application = filters.CharFilter(
        field_name="application__slug", label="Application", widget=forms.Select
    )

    def filter_search(
        self, rows: QuerySet[ImageRepository], _name: str, text: str
    ) -> QuerySet[ImageRepository]:
        # The whole name may have been pasted.
        part = text.strip().lower().removeprefix(f"{settings.BERTH_REGISTRY_HOST}/")
        whole_name = Concat("application__slug", Value("/"), "name")
        return rows.alias(whole_name=whole_name).filter(whole_name__contains=part)


TABLE = Table(
    (
        Column(
            "image",
            "Image",
            lambda row: row.full_name,
            by=Concat("application__slug", Value("/"), "name"),
        ),
        Column("tags", "Tags", lambda row: str(row.tag_count), by="tag_count"),
        Column(
            "storage",
            "Storage",
            lambda row: str(row.storage or ""),
            by=Coalesce("storage", 0),
        ),
        Column(
            "pushed",
            "Last pushed",
            lambda row: instant_cell(row.last_pushed_at),
            by=Coalesce("last_pushed_at", "created_at"),
            descends=True,
        ),
        Column(
            "pulled",
            "Last pulled",
            lambda row: instant_cell(row.last_pulled_at),
            by=Coalesce("last_pulled_at", NEVER),
            descends=True,
        ),
        Column("added", cell=lambda row: instant_cell(row.created_at), by="created_at"),
        Column("id", cell=lambda row: str(row.pk)),
    ),
    order="-added",
)


@dataclass(frozen=True, slots=True)
class PushedRow:
    """A tag or an untagged image, and who pushed it; "" if unknown."""

    item: ImageTag | ImageManifest
    pushed_by: str


@require_safe
@team_page(Permission.REGISTRY_READ)
def images(request: TeamRequest) -> HttpResponse:
    """List the private registry's images and the storage that they use."""
    filters = _filtered(request)
    applications = list(applications_for_team(request.team.pk).order_by("slug"))
    filters.offer("application", lambda: [(row.slug, row.name) for row in applications])
    storage = _storage(request.team.pk, applications)
    return render_page(
        request,
        "images/images.html",
        {
            **table_list(filters, TABLE),
            "storage": storage,
            "used": sum(size for _, size in storage),
        },
        partial="images/images_list.html",
    )


@require_safe
@team_page(Permission.REGISTRY_READ)
def export_images(request: TeamRequest) -> HttpResponseBase:
    """Stream the private registry's images as CSV."""
    return export_list(request, _filtered(request), TABLE, "private-registry")


def _filtered(request: TeamRequest) -> ImagePageFilter:
    return ImagePageFilter(request.GET, image_repositories_for_team(request.team.pk))


@require_safe
@team_page(Permission.REGISTRY_READ)
def image_detail(request: TeamRequest, image_id: uuid.UUID) -> HttpResponse:
    """Show an image repository: its tags, untagged images and pulls."""
    image = find(image_repositories_for_team(request.team.pk), image_id)
    tags = keyset_page(
        tags_of_repository(image), request.GET.get("page", ""), Sort("pushed_at")
    )
    untagged = keyset_page(
        untagged_images(image),
        request.GET.get("untagged", ""),
        Sort("pushed_at"),
        size=UNTAGGED_SHOWN,
    )
    last = images_of_repository(image)[:1]
    shown = _with_pushers(image.team_id, [*tags.rows, *untagged.rows, *last])
    return render_page(
        request,
        "images/image.html",
        {
            "image": image,
            "name": pull_name(image),
            "page": tags,
            "tags": shown[: len(tags.rows)],
            "untagged_page": untagged,
            "untagged": shown[len(tags.rows) :][: len(untagged.rows)],
            "last_push": shown[-1] if last else None,
            "all_pulls": _all_pulls_url(request, image),
            **_pulls(request, image),
        },
    )


@require_safe
@team_page(Permission.REGISTRY_READ)
def tag_detail(
    request: TeamRequest, image_id: uuid.UUID, tag_id: uuid.UUID
) -> HttpResponse:
    """Show a tag: how to pull it, its image, and who pulls it."""
    image = find(image_repositories_for_team(request.team.pk), image_id)
    tag: ImageTag = find(tags_of_repository(image), tag_id)
    name, digest = pull_name(image), tag.manifest.digest
    others = list(tag.manifest.tags.exclude(pk=tag.pk).order_by("name"))
    (shown,) = _with_pushers(image.team_id, [tag])
    return render_page(
        request,
        "images/tag.html",
        {
            "image": image,
            "tag": tag,
            "kind": _KINDS.get(tag.manifest.media_type, tag.manifest.media_type),
            "pushed_by": shown.pushed_by,
            "by_tag": f"{name}:{tag.name}",
            "by_digest": f"{name}@{digest}",
            "others": others[:OTHER_TAGS_SHOWN],
            "others_left_out": max(0, len(others) - OTHER_TAGS_SHOWN),
            "all_pulls": _all_pulls_url(request, image),
            **_use(request, tag),
        },
    )


def pull_name(image: ImageRepository) -> str:
    """Return the name to pull by; without a host if none is configured."""
    host = settings.BERTH_REGISTRY_HOST
    return f"{host}/{image.full_name}" if host else image.full_name


def image_url(request: TeamRequest, image: ImageRepository) -> str:
    """Return the URL of an image repository's page."""
    return team_url(request, "images-detail", image_id=image.pk)


def _storage(
    team_id: uuid.UUID, applications: Iterable[Application]
) -> Sequence[tuple[Application, int]]:
    """Return the applications that have images, the largest first."""
    sizes = storage_by_application(team_id)
    used = [(row, sizes[row.pk]) for row in applications if row.pk in sizes]
    return sorted(used, key=lambda pair: pair[1], reverse=True)


def _with_pushers(
    team_id: uuid.UUID, rows: Sequence[ImageTag | ImageManifest]
) -> list[PushedRow]:
    names = names_of_holders(team_id, {row.pushed_by for row in rows})
    return [
        PushedRow(
            row, names.get(row.pushed_by, REMOVED_HOLDER) if row.pushed_by else ""
        )
        for row in rows
    ]


def _pulls(request: TeamRequest, image: ImageRepository) -> dict[str, Any]:
    if not request.actor.may(Permission.LICENSE_READ):
        return {}
    pulls = pulls_of_image_repository(image).select_related("license__customer")
    latest = ((pull, pull.license) for pull in pulls[:PULLS_SHOWN])
    return {"pulls": pull_rows(request.team.pk, latest)}


def _use(request: TeamRequest, tag: ImageTag) -> dict[str, Any]:
    if not request.actor.may(Permission.LICENSE_READ):
        return {}
    use: ImageUse = use_of_tag(tag)
    image = f"{pull_name(tag.repository)}:{tag.name}"
    return {
        "use": use,
        "why": urlencode({"image": image}, safe="/:"),
        "pullers": [
            (row, urlencode({"license": row.license.pk, "image": image}, safe="/:"))
            for row in use.pullers
        ],
    }


def _all_pulls_url(request: TeamRequest, image: ImageRepository) -> str:
    """Return the URL of the Pulls page, filtered by one image."""
    query = {
        "registry": PRIVATE_REGISTRY_SLUG,
        "application": image.application.slug,
        # The colon excludes repositories whose names start with this one.
        "search": f"{image.name}:",
    }
    return f"{team_url(request, 'pulls')}?{urlencode(query, safe='/:')}"
