"""How people sign in: what Berth decides differently from django-allauth."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.utils import perform_login
from allauth.core.internal.adapter import BaseAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from portal.crypto.fields import encryption_keyring
from portal.errors import Busy, TooMany
from portal.http.client_address import neighbourhood_of
from portal.http.errors import refuse_page
from portal.limits.fair_share import FairShare, ShareExceeded
from portal.limits.minute_counts import count
from teams.mail import send_or_store, store_mail
from teams.models import User
from teams.second_factor import SECOND_FACTOR_DATA
from teams.selectors import usable_tokens_made_by_user, usable_tokens_of_user

# Hashing is costly on purpose, and must leave threads and processors to everybody else.
PASSWORD_HASHING = FairShare("portal-password-hashing", total=3, each=2)


CODE_MAILS = "account/email/login_code"

# Seconds after which to retry, by allauth's names of errors.
RETRY_AFTER = {
    "rate_limited": 60,
    "sign_ins_busy": 5,
    "too_many_codes": 300,
    "too_many_login_attempts": 60,
}


class _Refusing(BaseAdapter):  # type: ignore[misc]  # untyped
    def validation_error(self, code: str, *args: Any) -> ValidationError:
        """Return a form's error, and let the page be 429 if it is about a limit."""
        error: ValidationError = super().validation_error(code, *args)
        if code in RETRY_AFTER:
            refusal = TooMany(code, str(error.message), RETRY_AFTER[code])
            refuse_page(self.request, refusal)
        return error


class AccountAdapter(_Refusing, DefaultAccountAdapter):  # type: ignore[misc]  # untyped
    """Accounts are created by invitation or set-up, never by sign-up."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": "This account is disabled.",
        "duplicate_email": "This is already your address.",
        "email_taken": "Another account uses this e-mail address.",
        "email_password_mismatch": "The e-mail address or the password is wrong.",
        "enter_current_password": "Enter your current password.",
        "incorrect_code": "This code is wrong. Enter the one of the latest mail.",
        "incorrect_password": "The password is wrong.",
        "invalid_password_reset": "This link is no longer valid. Request a new one.",
        "rate_limited": "Too many attempts. Try again in a minute.",
        "same_as_current": "This is your current one. Enter another.",
        "sign_ins_busy": "Too many people are signing in. Try again in 5 seconds.",
        "too_many_login_attempts": (
            "Too many attempts from your network. Try again in a minute."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address for rate limits: the client's, behind trusted proxies."""
        return request.META["BERTH_CLIENT_ADDRESS"] or "unknown"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse an address that signs in too often, before a password is hashed.

        allauth's own limit is in Redis alone, and starts again when Redis fails.
        """
        super().pre_authenticate(request, **credentials)
        address = neighbourhood_of(request)
        if count(f"sign-ins:{address}") > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
            raise self.validation_error("too_many_login_attempts")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        address = neighbourhood_of(request)
        try:
            with PASSWORD_HASHING.use(address):
                user: User | None = super().authenticate(request, **credentials)
        except ShareExceeded as error:
            invalid = self.validation_error("sign_ins_busy")
            if not error.is_own:
                busy = Busy("busy", str(invalid.message), error.retry_after)
                refuse_page(request, busy)
            raise invalid from None
        return user

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> Any:
        note_own_address(user)
        return super().pre_login(request, user, **kwargs)

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        """Change to a confirmed address, unless another account uses it by now."""
        owners = User.objects.filter(email__iexact=email_address.email)
        if owners.exclude(pk=email_address.user_id).exists():
            self.add_message(
                request,
                messages.ERROR,
                "account/messages/email_confirmation_failed.txt",
                {"email": email_address.email},
            )
            return False
        return bool(super().confirm_email(request, email_address))

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Report a change to an account, and how many API tokens still work."""
        tokens = {
            "usable_tokens": usable_tokens_of_user(user).count(),
            "made_tokens": usable_tokens_made_by_user(user).count(),
        }
        super().send_notification_mail(
            template_prefix, user, tokens | (context or {}), email
        )

    def send_mail(
        self, template_prefix: str, email: str, context: dict[str, Any]
    ) -> None:
        """Send a mail, now or later.

        An error page would show strangers which addresses have an account.
        """
        site = get_current_site(self.request)
        context = {"request": self.request, "current_site": site, "email": email} | (
            context
        )
        mail = self.render_mail(template_prefix, email, context)
        if template_prefix.startswith(CODE_MAILS):
            # Sending takes time that would show strangers who has an account.
            store_mail(mail)
        else:
            send_or_store(mail, holder=neighbourhood_of(self.request))


class SecondFactorAdapter(_Refusing, DefaultMFAAdapter):  # type: ignore[misc]  # untyped
    """Keeps the secrets of authenticator apps encrypted."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is wrong or already used. Enter the next one.",
        "cannot_generate_recovery_codes": (
            "Recovery codes need a second factor. Set one up first."
        ),
        "too_many_codes": (
            "Too many wrong codes for this account. Try again in five minutes."
        ),
    }

    def encrypt(self, text: str) -> str:
        return encryption_keyring().encrypt(text, associated_data=SECOND_FACTOR_DATA)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption_keyring().decrypt(
            encrypted_text, associated_data=SECOND_FACTOR_DATA
        )

    def generate_authenticator_name(self, user: User, type: Any) -> str:
        keys = Authenticator.objects.filter(user_id=user.pk, type=type)
        return f"Key {keys.count() + 1}"

    def get_public_key_credential_rp_entity(self) -> dict[str, Any]:
        entity: dict[str, Any] = super().get_public_key_credential_rp_entity()
        return entity | {"name": settings.MFA_TOTP_ISSUER}


def sign_in(request: HttpRequest, user: User, *, next_url: str) -> HttpResponse:
    """Sign in the owner of a new account, and redirect to ``next_url``."""
    response: HttpResponse = perform_login(request, user, redirect_url=next_url)
    return response


def note_own_address(user: User) -> None:
    """Mark the user's own address as verified for allauth.

    Without a verified address, allauth would accept any other that the user enters.
    Whether it is proven is in ``User.is_address_proven``.
    """
    addresses = EmailAddress.objects.filter(user_id=user.pk)
    email = user.email.lower()
    if addresses.filter(email=email, verified=True, primary=True).exists():
        return
    addresses.filter(verified=True).exclude(email=email).delete()
    addresses.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
