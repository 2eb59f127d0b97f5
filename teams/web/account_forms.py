"""django-allauth's forms with Berth's labels and help texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allauth.account import forms as account
from allauth.core import context
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp.forms import ActivateTOTPForm as ActivateTOTP
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_texts
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import get_text_list

from teams.actors import Origin
from teams.models import ApiToken, User
from teams.selectors import (
    usable_tokens_made_by_user,
    usable_tokens_of_user,
    user_by_email,
)
from teams.services import revoke_tokens_of_user

if TYPE_CHECKING:
    _Form = forms.Form
else:
    _Form = object


class _Worded(_Form):
    """Sets ``labels`` and ``helps``, and removes placeholders that repeat labels."""

    labels: dict[str, str] = {}
    helps: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)
            if name in self.helps:
                field.help_text = self.helps[name]
        if "code" in self.fields:
            self.fields["code"].widget.attrs["inputmode"] = "numeric"


class _NewPassword(_Worded):
    labels = {
        "oldpassword": "Current password",
        "password1": "New password",
        "password2": "Confirm new password",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = " ".join(password_validators_help_texts())


@dataclass(frozen=True, slots=True)
class _Choice:
    """A checkbox to revoke tokens that were made under the old password."""

    name: str
    tokens: Callable[[User], QuerySet[ApiToken]]
    # What to call one token and several, with a place for "my" or "your".
    one: str
    several: str

    def describe(self, count: int, whose: str) -> str:
        words = self.one if count == 1 else self.several
        who = {"my": "I", "your": "you"}[whose]
        return words.format(count=count, whose=whose, who=who)


_CHOICES = [
    _Choice(
        "revoke_api_tokens",
        usable_tokens_of_user,
        "{whose} API token",
        "{whose} {count} API tokens",
    ),
    _Choice(
        "revoke_made_api_tokens",
        usable_tokens_made_by_user,
        "the API token that {who} created for a team or service account",
        "the {count} API tokens that {who} created for teams and service accounts",
    ),
]


class _RevokesTokens(_NewPassword):
    """Offers to revoke the API tokens that were made under the old password."""

    user: User | None
    revokes_by_default = False
    names_tokens = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for choice in _CHOICES:
            tokens = choice.tokens(self.user) if self.user else []
            names = [_name(token) for token in tokens]
            if names:
                self.fields[choice.name] = forms.BooleanField(
                    required=False,
                    initial=self.revokes_by_default,
                    label=f"Revoke {choice.describe(len(names), 'my')}",
                    help_text=self._help(names),
                )

    def _help(self, names: list[str]) -> str:
        listed = [*names[:10], "others"] if len(names) > 10 else names
        which = f"{get_text_list(listed, 'and')}. " if self.names_tokens else ""
        it = "it keeps" if len(names) == 1 else "they keep"
        return f"{which}Otherwise {it} working for anyone who has a copy."

    @transaction.atomic
    def save(self) -> None:
        super().save()  # type: ignore[misc]  # of the form that this is mixed into
        if self.user is None:
            return
        own, made = (self.cleaned_data.get(choice.name) for choice in _CHOICES)
        shown = [choice for choice in _CHOICES if choice.name in self.fields]
        before = {choice.name: choice.tokens(self.user).count() for choice in shown}
        origin = Origin.of(context.request)
        revoke_tokens_of_user(
            user=self.user, own=bool(own), made=bool(made), origin=origin
        )
        for choice in shown:
            self._report(self.user, choice, before[choice.name])

    def _report(self, user: User, choice: _Choice, before: int) -> None:
        count = choice.tokens(user).count()
        if count:
            verb = "keeps working" if count == 1 else "keep working"
        else:
            count = before
            verb = "is revoked" if count == 1 else "are revoked"
        text = choice.describe(count, "your")
        messages.info(context.request, f"{text[:1].upper()}{text[1:]} {verb}.")


def _name(token: ApiToken) -> str:
    if token.user_id is not None:
        return token.name
    return f"{token.name} ({token.team.name}, {token.fixed_role})"


class LoginForm(_Worded, account.LoginForm):  # type: ignore[misc]  # untyped
    labels = {"login": "E-mail address"}
    helps = {"password": ""}


class ResetPasswordForm(_Worded, account.ResetPasswordForm):  # type: ignore[misc]  # untyped
    labels = {"email": "E-mail address"}

    def clean_email(self) -> str:
        """Find an account by its own address, never by an unconfirmed one."""
        email: str = super().clean_email()
        user = user_by_email(email)
        self.users = [user] if user and user.is_active else []
        return email


class ResetPasswordKeyForm(_RevokesTokens, account.ResetPasswordKeyForm):  # type: ignore[misc]  # untyped
    # A reset is also the way out if somebody else may be in.
    revokes_by_default = True
    # The link in the mail is all that its reader has shown.
    names_tokens = False


class ChangePasswordForm(_RevokesTokens, account.ChangePasswordForm):  # type: ignore[misc]  # untyped
    helps = {"oldpassword": ""}


class SetPasswordForm(_RevokesTokens, account.SetPasswordForm):  # type: ignore[misc]  # untyped
    pass


class AddEmailForm(_Worded, account.AddEmailForm):  # type: ignore[misc]  # untyped
    labels = {"email": "New e-mail address"}
    helps = {
        "email": "We will send a link to this address. Follow it to confirm the change."
    }


class ReauthenticateForm(_Worded, account.ReauthenticateForm):  # type: ignore[misc]  # untyped
    helps = {"password": ""}


@contextmanager
def _count_attempt(user: User) -> Iterator[None]:
    """Count an attempt before its code is checked; a correct code is not counted."""
    usage = ratelimit.consume(
        context.request,
        app="allauth.account",
        action="second_factor",
        key=str(user.pk),
    )
    if usage is None:
        raise get_adapter().validation_error("too_many_codes")
    yield
    usage.rollback()


class AuthenticateForm(_Worded, mfa.AuthenticateForm):  # type: ignore[misc]  # untyped
    helps = {"code": "From your authenticator app, or one of your recovery codes."}

    def clean_code(self) -> str:
        with _count_attempt(self.user):
            code: str = super().clean_code()
        return code


class ReauthenticateCodeForm(_Worded, mfa.ReauthenticateForm):  # type: ignore[misc]  # untyped
    helps = {"code": "From your authenticator app, or one of your recovery codes."}

    def clean_code(self) -> str:
        with _count_attempt(self.user):
            code: str = super().clean_code()
        return code


class ActivateTOTPForm(_Worded, ActivateTOTP):  # type: ignore[misc]  # untyped
    labels = {"code": "Code from the app"}
    helps = {"code": "Six digits that change every 30 seconds."}


class AddWebAuthnForm(_Worded, webauthn.AddWebAuthnForm):  # type: ignore[misc]  # untyped
    labels = {"passwordless": "Use it as a passkey, without a password"}
    helps = {
        "name": "To tell your keys apart, such as “Laptop” or “Blue key”.",
        "passwordless": "Replaces your password too. The device asks for a PIN, a "
        "fingerprint or similar.",
    }


class EditWebAuthnForm(_Worded, webauthn.EditWebAuthnForm):  # type: ignore[misc]  # untyped
    helps = {"name": "To tell your keys apart, such as “Laptop” or “Blue key”."}
