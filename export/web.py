"""The page that exports a team."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from export.lines import export_team
from portal.http.pages import render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.TEAM_EXPORT)
def export(request: TeamRequest) -> HttpResponseBase:
    """Say what an export holds; download it."""
    if request.method == "POST":
        return export_team(actor=request.actor, team=request.team)
    return render_page(request, "export/export.html")


urlpatterns: list[URLPattern] = [path("settings/export", export, name="team-export")]
