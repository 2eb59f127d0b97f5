"""The page of an external registry: facts, checks and pulls."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_POST, require_safe

from oci.reference import Reference
from portal.errors import TooMany
from portal.http.errors import refuse_page
from portal.http.keyset import keyset_page
from portal.http.pages import go_to, render_page
from registries.models import ExternalRegistry
from registries.providers import canonical_endpoint
from registries.selectors import (
    checks_of_registry,
    credential_in_use,
    latest_pulls_of_registry,
    registries_for_team,
    stale_pulls_of_registry,
)
from registries.services import check_registry
from registries.web.pull_links import pull_rows
from registries.web.registry_forms import ImageField
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import PageFilter
from teams.web.lists.tables import Column, Table, instant_cell

# More would only repeat the same commands.
APPLICATIONS_SHOWN = 25


class CheckForm(forms.Form):
    """Checks the stored credential, optionally with another image of the registry."""

    prefix = "check"
    image = ImageField(label="Another image (optional)")

    def __init__(self, *args: Any, registry: ExternalRegistry, **options: Any) -> None:
        super().__init__(*args, **options)
        self._endpoint = registry.endpoint

    def clean_image(self) -> Reference | None:
        image: Reference | None = self.cleaned_data["image"]
        if image is None or image.registry is None:
            return image
        if canonical_endpoint(image.registry) != self._endpoint:
            raise ValidationError(
                f"This image is on {image.registry}. Enter one on {self._endpoint}."
            )
        return image


def _shared_with(registry: ExternalRegistry) -> str:
    if registry.shared_with_all:
        return "all"
    return " ".join(sorted(row.slug for row in registry.applications.all()))


# Sorted as before every other check.
NEVER = Value(datetime(2000, 1, 1, tzinfo=UTC), DateTimeField())
TABLE = Table(
    (
        Column("slug", "Slug", lambda row: row.slug, by="slug"),
        Column("provider", "Provider", lambda row: row.provider),
        Column("endpoint", "Endpoint", lambda row: row.endpoint, by="endpoint"),
        Column("shared_with", "Shared with", _shared_with),
        Column("repositories", cell=lambda row: " ".join(row.repository_patterns)),
        Column("test_image", cell=lambda row: row.test_image),
        Column("health", "Health", lambda row: row.health, by="health"),
        Column(
            "checked",
            "Last check",
            lambda row: instant_cell(row.health_checked_at),
            by=Coalesce("health_checked_at", NEVER),
            descends=True,
        ),
        Column("added", cell=lambda row: instant_cell(row.created_at), by="created_at"),
        Column("id", cell=lambda row: str(row.pk)),
    ),
    order="-added",
)


@require_safe
@team_page(Permission.REGISTRY_READ)
def export_registries(request: TeamRequest) -> HttpResponseBase:
    """Stream the external registries as CSV, without their credentials."""
    rows = PageFilter(request.GET, registries_for_team(request.team.pk))
    return export_list(request, rows, TABLE, "registries")


@require_safe
@team_page(Permission.REGISTRY_READ)
def registry_detail(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Show a registry: facts, image names, checks and pulls."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    return _registry_page(request, registry, CheckForm(registry=registry))


@require_POST
@team_page(Permission.REGISTRY_MANAGE)
def check(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Check the stored credential now."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    form = CheckForm(request.POST, registry=registry)
    if not form.is_valid():
        return _registry_page(request, registry, form, status=422)
    try:
        result = check_registry(
            actor=request.actor, registry=registry, image=form.cleaned_data["image"]
        )
    except TooMany as error:
        messages.error(request, error.message)
        refuse_page(request, error)
        return _registry_page(request, registry, form)
    level = messages.SUCCESS if result.is_valid else messages.ERROR
    messages.add_message(request, level, result.detail)
    return go_to(request, registry_url(request, registry))


def registry_url(request: TeamRequest, registry: ExternalRegistry) -> str:
    """Return the URL of a registry's page."""
    return team_url(request, "registries-detail", registry_id=registry.pk)


def _registry_page(
    request: TeamRequest,
    registry: ExternalRegistry,
    check_form: CheckForm,
    status: int = 200,
) -> HttpResponse:
    context = {
        **_facts(request, registry),
        "check_form": check_form,
        "page": keyset_page(
            checks_of_registry(registry), request.GET.get("page", ""), size=10
        ),
        "pulls": pull_rows(
            request.team.pk,
            [(pull, pull.license) for pull in latest_pulls_of_registry(registry)],
        ),
    }
    return render_page(request, "registries/registry.html", context, status=status)


def _facts(request: TeamRequest, registry: ExternalRegistry) -> dict[str, Any]:
    credential = credential_in_use(registry)
    may_manage = request.actor.may(Permission.REGISTRY_MANAGE)
    auth_type = registry.provider_profile.auth_type(credential.auth_type)
    return {
        "registry": registry,
        "stale_pulls": stale_pulls_of_registry(registry),
        "auth_type_title": auth_type.title if auth_type else credential.auth_type,
        "credential_added_at": credential.created_at,
        "username": credential.username.reveal() if may_manage else None,
    }
