"""Sign-in with the operator's identity provider (OpenID Connect)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse, SignupClosedException
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from portal.errors import TooMany
from portal.http.client_address import neighbourhood_of
from portal.http.pages import refused
from portal.limits.waiting import waiting
from teams.actors import Origin
from teams.invitations import accept_invitation
from teams.models import Invitation, User, validate_printable
from teams.selectors import is_vouched_for, open_invitations_for_email
from teams.sign_in.accounts import note_own_address

logger = logging.getLogger(__name__)


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # untyped
    """Admits people with an account or an invitation for their verified address."""

    error_messages = {
        **DefaultSocialAccountAdapter.error_messages,
        "connected_other": "This sign-in is connected to another account.",
        "no_password": ("Set a password first, or you could no longer sign in."),
    }

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Any) -> User:
        """Set the name and address from the provider's checked claims.

        Raises:
            OAuth2Error: the provider's responses are not about one person.
        """
        issuer, claims = _claims(sociallogin)
        verified = claims.get("email_verified")
        for address in sociallogin.email_addresses:
            # Some providers send the string "false", which is true in Python.
            address.verified = verified is True or verified == "true"
        email = (data.get("email") or "").lower()
        # Of all claims, only those needed later are stored.
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
        """Match an account's own address only, never an unconfirmed one."""
        email = verified_address(sociallogin)
        user = User.objects.filter(email__iexact=email).first() if email else None
        if user is None or email is None:
            return None
        # Otherwise allauth would remove every password. ``claim_account`` does it if a
        # stranger may have created the account.
        note_own_address(user)
        return user, email

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Cancel other people's pending changes to the address just verified."""
        email = verified_address(sociallogin)
        if email:
            pending = EmailAddress.objects.filter(email=email, verified=False)
            pending.exclude(user_id=sociallogin.user.pk).delete()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        email = verified_address(sociallogin)
        return bool(email) and bool(_invitations_to_accept(str(email)))

    @transaction.atomic
    def save_user(
        self, request: HttpRequest, sociallogin: Any, form: Any = None
    ) -> User:
        """Create the invited person's account, and make them a member.

        Raises:
            SignupClosedException: the invitation is no longer valid.
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

    def get_requests_session(self) -> Any:
        """Return a session for the provider, whose requests share waiting threads."""
        session = super().get_requests_session()
        session.request = partial(_request, self.request, session.request)
        return session

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        logger.warning("single sign-on failed: %s %.300r", error, exception)


def _request(
    request: HttpRequest, send: Callable[..., Any], *args: Any, **options: Any
) -> Any:
    """Ask the provider on behalf of a visitor, or show them that Berth is busy."""
    try:
        with waiting(neighbourhood_of(request), signs_in=True):
            return send(*args, **options)
    except TooMany as error:
        raise ImmediateHttpResponse(refused(request, error)) from error


def _invitations_to_accept(email: str) -> list[Invitation]:
    invitations = filter(is_vouched_for, open_invitations_for_email(email))
    # Accepting locks the team. Without a common order, two people might deadlock.
    return sorted(invitations, key=lambda invitation: invitation.team_id)


def verified_address(sociallogin: Any) -> str | None:
    """Return the address that the provider claims to have verified, if any."""
    for address in sociallogin.email_addresses:
        if address.verified:
            email: str = address.email.lower()
            return email
    return None


def _claims(sociallogin: Any) -> tuple[str, dict[str, Any]]:
    """Return the provider's issuer, and its claims about the person.

    An ID token is required, and the UserInfo response must be about the same person
    (OpenID Connect Core 1.0, 5.3.2).
    """
    data: dict[str, Any] = sociallogin.account.extra_data
    id_token, userinfo = data.get("id_token"), data.get("userinfo")
    if not id_token:
        raise OAuth2Error("The provider sent no ID token.")
    if userinfo and userinfo.get("sub") != id_token.get("sub"):
        raise OAuth2Error("The ID token and UserInfo are about different people.")
    sub = id_token.get("sub")
    if not isinstance(sub, str) or not _printable(sub):
        raise OAuth2Error("The provider does not say who the person is.")
    return id_token["iss"], userinfo or id_token


def _forget_other_issuers(account: SocialAccount, issuer: str) -> None:
    # A ``sub`` identifies a person only within its issuer (OpenID Connect Core, 5.7).
    same = SocialAccount.objects.filter(provider=account.provider, uid=account.uid)
    same.exclude(extra_data__id_token__iss=issuer).delete()


def _printable(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    try:
        validate_printable(text)
    except ValidationError:
        return ""
    return text[:150]
