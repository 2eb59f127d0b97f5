"""The team's first page: what needs attention, and how many pulls there were."""

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
from registries.web.pull_links import shown_pulls
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page

JUST_ENDED = timedelta(days=7)
REFUSED_LATELY = timedelta(days=7)
# Of each kind; a link leads to all of them.
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
    ending = licenses_expiring(
        team_id, after=now - JUST_ENDED, before=now + EXPIRES_SOON
    )[: SHOWN + 1]
    refusals = refusals_since(team_id, now - REFUSED_LATELY, number=SHOWN + 1)
    troubled = list(registries_in_trouble(team_id)[: SHOWN + 1])
    licenses = [
        (each, each.expires_at is not None and each.expires_at <= now)
        for each in ending
    ]
    pulls = shown_pulls(team_id, ((each.pull, each.license) for each in refusals))
    return {
        "registries": troubled[:SHOWN],
        "has_more_registries": len(troubled) > SHOWN,
        "licenses": licenses[:SHOWN],
        "has_more_licenses": len(licenses) > SHOWN,
        "refusals": pulls[:SHOWN],
        "has_more_refusals": len(pulls) > SHOWN,
    }
