"""Sends browsers to the identity provider, and takes them back."""

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
    """Send the browser to the identity provider.

    A page does this instead of a redirect: the content security policy limits forms to
    this site, and browsers apply that to the redirects that follow.
    """
    response = _or_error_page(views.login, request, provider_id)
    address = response.headers.get("Location", "")
    if not address or is_local_url(address):
        return response
    page = render(
        request, "socialaccount/login_redirect.html", {"redirect_to": address}
    )
    page.headers["Cache-Control"] = "no-store"
    return page


def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Handle the identity provider's answer."""
    return _or_error_page(views.callback, request, provider_id)


def _or_error_page(view: View, request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        return view(request, provider_id)
    except (OSError, KeyError, ValueError, ImproperlyConfigured) as error:
        # The provider is unavailable, or its answer violates OpenID Connect.
        response: HttpResponse = render_authentication_error(
            request, None, exception=error
        )
        return response
