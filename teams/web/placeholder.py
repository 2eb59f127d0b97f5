from __future__ import annotations

from django.http import HttpResponse

from portal.http.pages import render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page


@team_page(Permission.TEAM_READ)
def placeholder(request: TeamRequest) -> HttpResponse:
    return render_page(request, "portal/page.html")
