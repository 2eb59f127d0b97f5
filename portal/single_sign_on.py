"""The identity provider that people may sign in with, as django-allauth wants it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

# Part of the address that the identity provider leads people back to.
PROVIDER_ID = "sso"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def openid_connect(
    *, name: str, issuer: str, client_id: str, client_secret: str
) -> dict[str, Any]:
    """Return ``SOCIALACCOUNT_PROVIDERS`` for one OpenID Connect provider.

    Raises:
        ImproperlyConfigured: the issuer is no address, or is spoken to in clear.
    """
    parts = urlsplit(issuer)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ImproperlyConfigured(
            f"BERTH_OIDC_ISSUER is an https:// address, not {issuer!r}."
        )
    app = {
        "provider_id": PROVIDER_ID,
        "name": name,
        "client_id": client_id,
        "secret": client_secret,
        "settings": {"server_url": issuer.rstrip("/"), "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}
