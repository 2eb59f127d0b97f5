"""Logging in with an account password, which is costly to check."""

from __future__ import annotations

from django.contrib.auth import authenticate

from registries.decision import sentences
from registries.decision.credentials import PresentedCredential
from registries.decision.facts import UserHolder
from registries.decision.pull import Denied, denied
from teams.models import User
from teams.second_factor import has_second_factor


class SecondFactorRequired(Exception):  # noqa: N818 -- states the fact
    """The password is right, but a password alone is not enough for this account."""


def authorize_password_login(
    presented: PresentedCredential, *, is_private: bool = False
) -> UserHolder | Denied:
    """Return the holder of an account password that may log in.

    Hashes the password, so the caller limits guesses first.
    """
    try:
        holder = identify_by_password(presented)
    except SecondFactorRequired:
        return denied(sentences.second_factor_required())
    return holder or denied(sentences.credential_unknown(is_private=is_private))


def identify_by_password(presented: PresentedCredential) -> UserHolder | None:
    """Return the user with this e-mail address and password, or None.

    Hashes the password, so the caller limits guesses first. A password alone is enough
    only while its owner has no second factor.

    Raises:
        SecondFactorRequired: the password is right, but its owner has one.
    """
    if not presented.may_be_account_password:
        return None
    user = authenticate(
        username=presented.username, password=presented.password.reveal()
    )
    if not isinstance(user, User):
        return None
    if has_second_factor(user):
        raise SecondFactorRequired
    return UserHolder(user.pk)
