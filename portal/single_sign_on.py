"""The identity provider for sign-in, in the form that django-allauth expects."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

# Part of the URL that the identity provider redirects people to.
PROVIDER_ID = "sso"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def openid_connect(
    *, name: str, issuer: str, client_id: str, client_secret: str
) -> dict[str, Any]:
    """Return ``SOCIALACCOUNT_PROVIDERS`` for one OpenID Connect provider.

    Raises:
        ImproperlyConfigured: the issuer is not an https:// URL.
    """
    parts = urlsplit(issuer)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.scheme != "https" and not is_local:
        raise ImproperlyConfigured(
            f"BERTH_OIDC_ISSUER must be an https:// URL, not {issuer!r}."
        )
    app = {
        "provider_id": PROVIDER_ID,
        "name": name,
        "client_id": client_id,
        "secret": client_secret,
        "settings": {"server_url": issuer.rstrip("/"), "oauth_pkce_enabled": True},
    }
    return {"openid_connect": {"APPS": [app]}}
