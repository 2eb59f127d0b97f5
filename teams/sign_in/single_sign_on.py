"""Signing in with the operator's identity provider (OpenID Connect)."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core.exceptions import SignupClosedException
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from teams.actors import Origin
from teams.invitations import accept_invitation
from teams.models import Invitation, User, validate_printable
from teams.selectors import is_vouched_for, open_invitations_for_email
from teams.sign_in.accounts import note_proven_address

logger = logging.getLogger(__name__)


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # untyped
    """Lets in who has an account or an invitation, by a verified address only."""

    error_messages = {
        **DefaultSocialAccountAdapter.error_messages,
        "connected_other": "This sign-in belongs to another account.",
        "no_password": (
            "Set a password first: without it you could no longer sign in."
        ),
    }

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Any) -> User:
        """Take over the name and address, after checking what the provider says.

        Raises:
            OAuth2Error: the answers of the provider are not about one person.
        """
        issuer, claims = _claims(sociallogin)
        said = claims.get("email_verified")
        for address in sociallogin.email_addresses:
            # Some providers say "false", which is a true value in Python.
            address.verified = said is True or said == "true"
        email = (data.get("email") or "").lower()
        # Of all that it says, no more is kept than what is needed later.
        sociallogin.account.extra_data = {
            "id_token": {"iss": issuer},
            "userinfo": {"email": email},
        }
        _forget_other_issuers(sociallogin.account, issuer)
        user: User = sociallogin.user
        user.email = email
        user.name = _printable(data.get("name"))
        return user

    def authenticate_by_email(self, sociallogin: Any) -> tuple[User, str] | None:
        """Match an account's own address only, never one it is yet to confirm."""
        email = verified_address(sociallogin)
        user = User.objects.filter(email__iexact=email).first() if email else None
        if user is None or email is None:
            return None
        # Otherwise allauth takes the password away, as if a stranger had made the
        # account.
        note_proven_address(user)
        return user, email

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Drop other people's wish to change to the address that was proven now."""
        email = verified_address(sociallogin)
        if email:
            wished = EmailAddress.objects.filter(email=email, verified=False)
            wished.exclude(user_id=sociallogin.user.pk).delete()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        email = verified_address(sociallogin)
        return bool(email) and bool(_invitations_to_accept(str(email)))

    @transaction.atomic
    def save_user(
        self, request: HttpRequest, sociallogin: Any, form: Any = None
    ) -> User:
        """Create the invited person's account, and make them a member.

        Raises:
            SignupClosedException: the invitation is over meanwhile.
        """
        invitations = _invitations_to_accept(verified_address(sociallogin) or "")
        if not invitations or form is not None:
            raise SignupClosedException
        user: User = super().save_user(request, sociallogin, form)
        for invitation in invitations:
            accept_invitation(
                invitation=invitation, user=user, origin=Origin.of(request)
            )
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        logger.warning("single sign-on failed: %s %.300r", error, exception)


def _invitations_to_accept(email: str) -> list[Invitation]:
    found = [each for each in open_invitations_for_email(email) if is_vouched_for(each)]
    # Each locks its team: in one order for all, or two people might deadlock.
    return sorted(found, key=lambda each: each.team_id)


def verified_address(sociallogin: Any) -> str | None:
    """Return the address that the provider says it has verified, if any."""
    for address in sociallogin.email_addresses:
        if address.verified:
            email: str = address.email.lower()
            return email
    return None


def _claims(sociallogin: Any) -> tuple[str, dict[str, Any]]:
    """Return the provider's issuer, and what it says about the person.

    An ID token has to be there, and the answer of the UserInfo endpoint has to be
    about the same person (OpenID Connect Core 1.0, 5.3.2).
    """
    found: dict[str, Any] = sociallogin.account.extra_data
    id_token, userinfo = found.get("id_token"), found.get("userinfo")
    if not id_token:
        raise OAuth2Error("The provider sent no ID token.")
    if userinfo and userinfo.get("sub") != id_token.get("sub"):
        raise OAuth2Error("The ID token and UserInfo are about different people.")
    sub = id_token.get("sub")
    if not isinstance(sub, str) or not _printable(sub):
        raise OAuth2Error("The provider does not say who the person is.")
    return id_token["iss"], userinfo or id_token


def _forget_other_issuers(account: SocialAccount, issuer: str) -> None:
    # A ``sub`` names somebody within its issuer only (OpenID Connect Core 1.0, 5.7).
    same = SocialAccount.objects.filter(provider=account.provider, uid=account.uid)
    same.exclude(extra_data__id_token__iss=issuer).delete()


def _printable(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    try:
        validate_printable(text)
    except ValidationError:
        return ""
    return text[:150]
