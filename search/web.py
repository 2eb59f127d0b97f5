"""The search of a team: a box on every page, and a page of its own without scripts."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from licenses.selectors import is_secret
from portal.http.pages import is_partial, page_context, render_page
from registries.preview.manifest import Hosts
from search.finding import MIN_CHARACTERS, Search, find
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page

MAX_CHARACTERS = 500


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.TEAM_READ)
def search(request: TeamRequest) -> HttpResponse:
    """Show what a text finds.

    The text is posted, because it may be a secret, which must not be in an address.
    Any other text of a whole page redirects to an address that can be kept.
    """
    is_posted = request.method == "POST"
    text = (request.POST if is_posted else request.GET).get("q", "").strip()
    text = text[:MAX_CHARACTERS]
    if is_posted and not is_partial(request) and not is_secret(text):
        return redirect(f"{request.path}?{urlencode({'q': text})}")
    names = page_context(request)
    hosts = Hosts(names["proxy_host"], names["registry_host"])
    context = {
        # A secret is never shown again.
        "search_text": "" if is_secret(text) else text,
        "is_too_short": len(text) < MIN_CHARACTERS,
        "groups": find(Search(text, request.team, request.actor, hosts)),
    }
    return render_page(
        request, "search/search.html", context, partial="search/results.html"
    )


urlpatterns: list[URLPattern] = [path("search", search, name="search")]
