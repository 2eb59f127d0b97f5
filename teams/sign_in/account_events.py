"""Changes to a person's own account.

Each is recorded in the audit log of all their teams and ends their other sessions.
"""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as single_sign_on
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.dispatch import receiver
from django.http import HttpRequest

from audit.tags import EventTag
from teams.models import User
from teams.sign_in.account_log import record_on_account
from teams.sign_in.claims import cancel_change_of_address, claim_account, note_proven
from teams.sign_in.second_factor import note_passed
from teams.sign_in.sessions import keep_only_this_session


@receiver([account.password_changed, account.password_set])
def password_changed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_on_account(request, user, EventTag.ACCOUNT_PASSWORD_CHANGED)
    keep_only_this_session(request, user)
    cancel_change_of_address(user)


@receiver(account.password_reset)
def password_reset(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_on_account(request, user, EventTag.ACCOUNT_PASSWORD_RESET)
    keep_only_this_session(request, user)
    cancel_change_of_address(user)
    claim_account(request, user, keeps_password=True)


@receiver(account.authentication_step_completed)
def code_entered(request: HttpRequest, user: User, method: str, **kwargs: Any) -> None:
    # Whoever enters a code from a mail has read it. What comes next is a second factor.
    if method == "code":
        claim_account(request, user)


@receiver(account.email_changed)
def email_changed(
    request: HttpRequest,
    user: User,
    from_email_address: EmailAddress | None,
    to_email_address: EmailAddress,
    **kwargs: Any,
) -> None:
    data = {"to": to_email_address.email}
    if from_email_address is not None:
        data["from"] = from_email_address.email
    record_on_account(request, user, EventTag.ACCOUNT_EMAIL_CHANGED, **data)
    keep_only_this_session(request, user)
    note_proven(user)


@receiver(mfa.authenticator_added)
def authenticator_added(
    request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    # The first codes come with the first second factor.
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record_on_account(request, user, EventTag.ACCOUNT_RECOVERY_CODES_GENERATED)
        return
    tag = EventTag.ACCOUNT_SECOND_FACTOR_ADDED
    record_on_account(request, user, tag, type=str(authenticator.type))
    note_passed(request, user, authenticator)
    keep_only_this_session(request, user)


@receiver(mfa.authenticator_reset)
def recovery_codes_generated(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_on_account(request, user, EventTag.ACCOUNT_RECOVERY_CODES_GENERATED)
    keep_only_this_session(request, user)


@receiver(mfa.authenticator_removed)
def authenticator_removed(
    request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    # Recovery codes are removed only together with the last second factor.
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        return
    tag = EventTag.ACCOUNT_SECOND_FACTOR_REMOVED
    record_on_account(request, user, tag, type=str(authenticator.type))
    keep_only_this_session(request, user)


@receiver(single_sign_on.social_account_added)
def single_sign_on_connected(
    request: HttpRequest, sociallogin: SocialLogin, **kwargs: Any
) -> None:
    tag = EventTag.ACCOUNT_SINGLE_SIGN_ON_CONNECTED
    provider = sociallogin.account.provider
    record_on_account(request, sociallogin.user, tag, provider=provider)
    # Signing in for the first time connects too, and is no reason to end the others.
    if request.user == sociallogin.user:
        keep_only_this_session(request, sociallogin.user)
    else:
        claim_account(request, sociallogin.user, sign_on=sociallogin.account)


@receiver(single_sign_on.social_account_removed)
def single_sign_on_disconnected(
    request: HttpRequest, socialaccount: SocialAccount, **kwargs: Any
) -> None:
    tag = EventTag.ACCOUNT_SINGLE_SIGN_ON_DISCONNECTED
    record_on_account(request, socialaccount.user, tag, provider=socialaccount.provider)
    keep_only_this_session(request, socialaccount.user)
