"""How people sign in: what Berth decides differently from django-allauth."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest

from portal.crypto.fields import encryption_keyring

# Bound to a purpose and not to a row: allauth encrypts before the row is there.
SECOND_FACTOR_DATA = "mfa.authenticator"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # untyped
    """Accounts come by invitation or with the first team, never by signing up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that limits count by, proxies seen through."""
        return request.META["BERTH_CLIENT_ADDRESS"] or "unknown"


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # untyped
    """Keeps the secrets of authenticator apps encrypted."""

    def encrypt(self, text: str) -> str:
        return encryption_keyring().encrypt(text, associated_data=SECOND_FACTOR_DATA)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption_keyring().decrypt(
            encrypted_text, associated_data=SECOND_FACTOR_DATA
        )

    def get_public_key_credential_rp_entity(self) -> dict[str, Any]:
        entity: dict[str, Any] = super().get_public_key_credential_rp_entity()
        return entity | {"name": settings.MFA_TOTP_ISSUER}
