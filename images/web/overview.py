"""The Images page: external registries, and the newest private images."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from images.selectors import (
    image_repositories_for_team,
    storage_by_application,
)
from licenses.selectors import applications_for_team
from portal.http.pages import render_page
from registries.selectors import (
    registries_for_team,
)
from registries.web.registries import APPLICATIONS_SHOWN, TABLE
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page
from teams.web.lists.filters import PageFilter
from teams.web.lists.tables import table_list

NEWEST_SHOWN = 10


@require_safe
@team_page(Permission.REGISTRY_READ)
def overview(request: TeamRequest) -> HttpResponse:
    """List the external registries and the newest images of the private registry."""
    applications = list(
        applications_for_team(request.team.pk)[: APPLICATIONS_SHOWN + 1]
    )
    registries = PageFilter(request.GET, registries_for_team(request.team.pk))
    has_private = bool(settings.BERTH_REGISTRY_HOST)
    return render_page(
        request,
        "images/overview.html",
        {
            **table_list(registries, TABLE),
            "applications": applications[:APPLICATIONS_SHOWN],
            "has_more_applications": len(applications) > APPLICATIONS_SHOWN,
            **(_newest_images(request.team.pk) if has_private else {}),
        },
    )


def _newest_images(team_id: uuid.UUID) -> dict[str, Any]:
    """Return the newest private images, and the storage that all images use."""
    rows = list(image_repositories_for_team(team_id)[: NEWEST_SHOWN + 1])
    return {
        "images": rows[:NEWEST_SHOWN],
        "has_more_images": len(rows) > NEWEST_SHOWN,
        "storage": sum(storage_by_application(team_id).values()),
    }
