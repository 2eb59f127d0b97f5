"""Whether somebody signs in with more than a password."""

from __future__ import annotations

from allauth.mfa.models import Authenticator

from teams.models import User


def has_second_factor(user: User) -> bool:
    """Tell whether the user has an authenticator app or a security key."""
    authenticators = Authenticator.objects.filter(user_id=user.pk)
    return bool(
        authenticators.exclude(type=Authenticator.Type.RECOVERY_CODES).exists()
    )
