"""What all pages share: rendering, redirects and the theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from portal.errors import Busy, NotAllowed, PortalError, TooMany

THEME_COOKIE = "berth_theme"
THEMES = ("auto", "light", "dark")


def is_partial(request: HttpRequest) -> bool:
    """Return whether htmx requests only a part of the page."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    partial: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a page, or only its ``partial`` template if htmx requests it."""
    name = partial if partial and is_partial(request) else template
    response = render(request, name, dict(context or {}), status=status)
    patch_vary_headers(response, ("HX-Request",))
    # Pages contain data that only this user may see.
    response.headers["Cache-Control"] = "no-store"
    return response


def refused(request: HttpRequest, error: PortalError) -> HttpResponse:
    """Show the error, and what to do about it."""
    kinds = {NotAllowed: 403, Busy: 503, TooMany: 429, PortalError: 409}
    status = next(kinds[kind] for kind in kinds if isinstance(error, kind))
    response = render_page(
        request,
        "portal/refused.html",
        {"error": error, "status": status},
        partial="portal/refused_partial.html",
        status=status,
    )
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


class GoTo(Exception):  # noqa: N818 -- not an error
    """Raised to redirect from any depth; ``team_page`` sends the redirect."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Redirect to another page, also from a dialog."""
    if is_partial(request):
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url)


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Provide the theme, and the hosts for commands, to every template."""
    return {
        "theme": theme_of(request),
        "themes": THEMES,
        "proxy_host": settings.BERTH_PROXY_HOST or request.get_host(),
        "registry_host": settings.BERTH_REGISTRY_HOST,
    }


def theme_of(request: HttpRequest) -> str:
    """Return the theme that the browser has chosen."""
    theme = request.COOKIES.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def is_local_url(url: str) -> bool:
    """Return whether a URL can only lead to a page of this site."""
    return url.startswith("/") and url_has_allowed_host_and_scheme(
        url, allowed_hosts=None
    )
