"""Authentication by e-mail address and password."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend

from teams.models import User
from teams.selectors import user_by_email


class AccountBackend(AuthenticationBackend):  # type: ignore[misc]  # untyped
    """Matches an account's own address only, never an unconfirmed one."""

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        user: User | None = self._check_password(user_by_email(email), password)
        return user
