"""The way out to the identity provider, and back."""

from __future__ import annotations

from collections.abc import Callable

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.openid_connect import views
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.http.pages import is_local_url

View = Callable[[HttpRequest, str], HttpResponse]


def start(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the identity provider.

    By a page and not by a redirect: the content security policy lets forms lead to
    this site only, and browsers apply that to redirects of their answers too.
    """
    response = _told(views.login, request, provider_id)
    address = response.headers.get("Location", "")
    if not address or is_local_url(address):
        return response
    page = render(
        request, "socialaccount/login_redirect.html", {"redirect_to": address}
    )
    page.headers["Cache-Control"] = "no-store"
    return page


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take the identity provider's answer."""
    return _told(views.callback, request, provider_id)


def _told(view: View, request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        return view(request, provider_id)
    except (OSError, KeyError, ValueError, ImproperlyConfigured) as error:
        # It does not answer, or not with what OpenID Connect promises.
        response: HttpResponse = render_authentication_error(
            request, None, exception=error
        )
        return response
