"""Single sign-on through the fake identity provider, as a browser goes."""

from __future__ import annotations

import html
import http.client
import re
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from portal.single_sign_on import openid_connect
from tests.support.servers.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
)

START = "/accounts/oidc/sso/login/"
CALLBACK = f"{START}callback/"
OWNER = {"sub": "7", "email": "owner@acme.example", "email_verified": True}
GUEST = {"sub": "8", "email": "Guest@acme.example", "email_verified": True}


def use(settings: Any, issuer: str) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = openid_connect(
        name="Acme Identity",
        issuer=issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )


def way_out(browser: Client, query: str = "") -> str:
    """Return the address at the provider that signing in leads to."""
    page = browser.post(f"{START}{query}")
    assert page.status_code == 200
    match = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', text(page))
    assert match
    return html.unescape(match[1])


def text(response: Any) -> str:
    return str(response.content.decode())


def way_back(address: str) -> str:
    """Follow the browser to the provider; return where that leads it back to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    location = response.headers["Location"]
    connection.close()
    assert response.status == 302
    assert location.startswith("http://testserver/")
    return str(location.removeprefix("http://testserver"))


def sign_on(browser: Client, query: str = "") -> Any:
    return browser.get(way_back(way_out(browser, query)))
