"""The dashboard: what needs attention, first steps, and pulls per day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from licenses.models import EXPIRES_SOON
from portal.http.pages import render_page
from registries.selectors import (
    first_steps,
    licenses_expiring,
    pulls_per_day,
    refusals_since,
    registries_in_trouble,
)
from registries.web.pull_chart import pull_chart
from registries.web.pull_links import pull_rows
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page

EXPIRED_RECENTLY = timedelta(days=7)
REFUSED_RECENTLY = timedelta(days=7)
# Per section; a link shows the rest.
SHOWN = 8


@require_safe
@team_page(Permission.TEAM_READ)
def dashboard(request: TeamRequest) -> HttpResponse:
    """Show what needs attention, the first steps of a new team, and pulls per day."""
    attention = _attention(request)
    return render_page(
        request,
        "registries/dashboard.html",
        {
            **attention,
            "is_all_well": not any(attention.values()),
            "steps": first_steps(request.team.pk),
            "chart": pull_chart(pulls_per_day(request.team.pk)),
        },
    )


def _attention(request: TeamRequest) -> dict[str, Any]:
    team_id, now = request.team.pk, timezone.now()
    expiring = licenses_expiring(
        team_id, after=now - EXPIRED_RECENTLY, before=now + EXPIRES_SOON
    )[: SHOWN + 1]
    refusals = refusals_since(team_id, now - REFUSED_RECENTLY, number=SHOWN + 1)
    failing = list(registries_in_trouble(team_id)[: SHOWN + 1])
    licenses = [
        (license, license.expires_at is not None and license.expires_at <= now)
        for license in expiring
    ]
    pulls = pull_rows(team_id, ((row.pull, row.license) for row in refusals))
    return {
        "registries": failing[:SHOWN],
        "has_more_registries": len(failing) > SHOWN,
        "licenses": licenses[:SHOWN],
        "has_more_licenses": len(licenses) > SHOWN,
        "refusals": pulls[:SHOWN],
        "has_more_refusals": len(pulls) > SHOWN,
    }
