"""Changes to a person's own account, recorded in the audit log of all their teams."""

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


@receiver([account.password_changed, account.password_set])
def password_changed(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_on_account(request, user, EventTag.ACCOUNT_PASSWORD_CHANGED)


@receiver(account.password_reset)
def password_reset(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_on_account(request, user, EventTag.ACCOUNT_PASSWORD_RESET)


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


@receiver(mfa.authenticator_added)
def authenticator_added(
    request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record_on_account(request, user, EventTag.ACCOUNT_RECOVERY_CODES_GENERATED)
        return
    tag = EventTag.ACCOUNT_SECOND_FACTOR_ADDED
    record_on_account(request, user, tag, type=str(authenticator.type))


@receiver(mfa.authenticator_reset)
def recovery_codes_generated(request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_on_account(request, user, EventTag.ACCOUNT_RECOVERY_CODES_GENERATED)


@receiver(mfa.authenticator_removed)
def authenticator_removed(
    request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    # Recovery codes are removed only together with the last second factor.
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        return
    tag = EventTag.ACCOUNT_SECOND_FACTOR_REMOVED
    record_on_account(request, user, tag, type=str(authenticator.type))


@receiver(single_sign_on.social_account_added)
def single_sign_on_connected(
    request: HttpRequest, sociallogin: SocialLogin, **kwargs: Any
) -> None:
    tag = EventTag.ACCOUNT_SINGLE_SIGN_ON_CONNECTED
    provider = sociallogin.account.provider
    record_on_account(request, sociallogin.user, tag, provider=provider)


@receiver(single_sign_on.social_account_removed)
def single_sign_on_disconnected(
    request: HttpRequest, socialaccount: SocialAccount, **kwargs: Any
) -> None:
    tag = EventTag.ACCOUNT_SINGLE_SIGN_ON_DISCONNECTED
    record_on_account(request, socialaccount.user, tag, provider=socialaccount.provider)
