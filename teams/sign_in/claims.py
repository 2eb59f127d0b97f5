"""Accounts whose address is proven only after somebody else may have opened them."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.http import HttpRequest

from audit.tags import EventTag
from teams.actors import Origin
from teams.models import User
from teams.services import revoke_tokens_of_user
from teams.sign_in.account_log import record_on_account
from teams.sign_in.sessions import end_other_sessions


def note_proven(user: User) -> None:
    """Remember that the user's address is proven."""
    user.is_address_proven = True
    user.save(update_fields=["is_address_proven"])


def cancel_change_of_address(user: User) -> None:
    """Forget an address that is not confirmed yet; the link mailed there stops working.

    Otherwise somebody who was in the account could take it over with that link.
    """
    EmailAddress.objects.filter(user=user, verified=False).delete()


def claim_account(
    request: HttpRequest,
    user: User,
    *,
    sign_on: SocialAccount | None = None,
    keeps_password: bool = False,
) -> None:
    """Give an account to the owner of its address, who has just proven it.

    If it was not proven before, a stranger may have opened the account. Their sessions,
    second factors and connections to single sign-on are removed, except the ``sign_on``
    that proved the address. So are its password and API tokens, unless it has just been
    given a password, which asks for the tokens.
    """
    if user.is_address_proven:
        return
    with transaction.atomic():
        if not keeps_password:
            user.set_unusable_password()
            user.save(update_fields=["password"])
            revoke_tokens_of_user(user=user, origin=Origin.of(request))
        Authenticator.objects.filter(user=user).delete()
        connected = SocialAccount.objects.filter(user=user)
        connected.exclude(pk=sign_on.pk if sign_on else None).delete()
        end_other_sessions(request, user)
        cancel_change_of_address(user)
        note_proven(user)
        record_on_account(request, user, EventTag.ACCOUNT_CLAIMED)
    get_adapter().send_notification_mail("account/email/account_claimed", user)
