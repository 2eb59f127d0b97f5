"""The list of counted pulls."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from licenses.models import License
from licenses.selectors import applications_for_team, licenses_for_team
from portal.http.keyset import keyset_page
from portal.http.pages import render_page
from portal.http.values import parse_id
from registries.models import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG, PullEvent
from registries.models.outcomes import FAILURES, OUTCOMES, REFUSALS
from registries.selectors import (
    pulls_for_team,
    pulls_of_registry,
    refused_pulls_for_team,
    registries_for_team,
)
from registries.web.pull_links import shown_pulls
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page

REFUSED = "refused"
# Where a tag or digest begins; a port has a / somewhere behind it.
_REFERENCE = re.compile(r"[:@](?!.*/)")
FILTERS = ("outcome", "application", "registry", "license", "search")


@dataclass(frozen=True, slots=True)
class _Sought:
    """What the filters ask for. Unknown values find nothing, rather than all."""

    rows: QuerySet[PullEvent]
    license: License | None


@require_safe
@team_page(Permission.LICENSE_READ)
def pulls(request: TeamRequest) -> HttpResponse:
    """List counted pulls, the latest first, with filters."""
    sought = _sought(request.team.pk, request.GET)
    rows = sought.rows.select_related("license__customer")
    page = keyset_page(rows, request.GET.get("page", ""), by="last_at")
    return render_page(
        request,
        "registries/pulls.html",
        {
            "page": page,
            "pulls": shown_pulls(
                request.team.pk, ((each, each.license) for each in page.rows)
            ),
            "license": sought.license,
            "is_filtered": any(request.GET.get(name) for name in FILTERS),
            **_choices(request.team.pk),
        },
        partial="registries/pulls_list.html",
    )


def _choices(team_id: uuid.UUID) -> dict[str, Any]:
    return {
        "reasons": REFUSALS,
        "failures": FAILURES,
        "applications": applications_for_team(team_id).order_by("slug"),
        "private_registry": PRIVATE_REGISTRY_SLUG,
        "registries": registries_for_team(team_id)
        .prefetch_related(None)
        .order_by("slug"),
    }


def _sought(team_id: uuid.UUID, asked: Mapping[str, str]) -> _Sought:
    rows = _with_outcome(team_id, asked.get("outcome", ""))
    if asked.get("application"):
        rows = rows.filter(application_slug=asked["application"])
    if asked.get("registry"):
        rows = _of_registry(team_id, rows, asked["registry"])
    if asked.get("search", "").strip():
        rows = _searched(rows, asked["search"].strip())
    if not asked.get("license"):
        return _Sought(rows, None)
    pk = parse_id(asked["license"])
    license = licenses_for_team(team_id).filter(pk=pk).first() if pk else None
    return _Sought(rows.filter(license=license) if license else rows.none(), license)


def _searched(rows: QuerySet[PullEvent], text: str) -> QuerySet[PullEvent]:
    """Return pulls of repositories that begin so, or of a name that was copied here.

    What has a ``:`` or ``@`` is a whole repository, and what its reference begins with.
    """
    parts = _REFERENCE.split(text, maxsplit=1)
    name, host = parts[0].lower(), settings.BERTH_REGISTRY_HOST
    if host and name.startswith(f"{host}/"):
        slug, _, name = name.removeprefix(f"{host}/").partition("/")
        rows = rows.filter(registry_id=PRIVATE_REGISTRY_ID, application_slug=slug)
    if len(parts) == 1:
        return rows.filter(repository__startswith=name)
    return rows.filter(repository=name, reference__startswith=parts[1])


def _with_outcome(team_id: uuid.UUID, outcome: str) -> QuerySet[PullEvent]:
    if outcome == REFUSED:
        return refused_pulls_for_team(team_id)
    rows = pulls_for_team(team_id)
    if not outcome:
        return rows
    return rows.filter(outcome=outcome) if outcome in OUTCOMES else rows.none()


def _of_registry(
    team_id: uuid.UUID, rows: QuerySet[PullEvent], slug: str
) -> QuerySet[PullEvent]:
    if slug == PRIVATE_REGISTRY_SLUG:
        return rows.filter(registry_id=PRIVATE_REGISTRY_ID)
    registry = registries_for_team(team_id).filter(slug=slug).first()
    return rows & pulls_of_registry(registry) if registry else rows.none()
