"""Which account an e-mail address and a password belong to."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend

from teams.models import User
from teams.selectors import user_by_email


class AccountBackend(AuthenticationBackend):  # type: ignore[misc]  # untyped
    """Knows an account by its own address only, never by one it is yet to confirm."""

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        found: User | None = self._check_password(user_by_email(email), password)
        return found
