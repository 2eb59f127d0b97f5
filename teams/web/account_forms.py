"""The forms of django-allauth in Berth's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account import forms as account
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp.forms import ActivateTOTPForm as ActivateTOTP
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts

if TYPE_CHECKING:
    _Form = forms.Form
else:
    _Form = object


class _Worded(_Form):
    """A mixin that says ``labels`` and ``helps``, and no label twice."""

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
        "oldpassword": "Present password",
        "password1": "New password",
        "password2": "New password again",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = " ".join(password_validators_help_texts())


class LoginForm(_Worded, account.LoginForm):  # type: ignore[misc]  # untyped
    labels = {"login": "E-mail address"}
    helps = {"password": ""}


class ResetPasswordForm(_Worded, account.ResetPasswordForm):  # type: ignore[misc]  # untyped
    labels = {"email": "E-mail address"}


class ResetPasswordKeyForm(_NewPassword, account.ResetPasswordKeyForm):  # type: ignore[misc]  # untyped
    pass


class ChangePasswordForm(_NewPassword, account.ChangePasswordForm):  # type: ignore[misc]  # untyped
    helps = {"oldpassword": ""}


class SetPasswordForm(_NewPassword, account.SetPasswordForm):  # type: ignore[misc]  # untyped
    pass


class AddEmailForm(_Worded, account.AddEmailForm):  # type: ignore[misc]  # untyped
    labels = {"email": "New e-mail address"}
    helps = {"email": "We send a link there. The change counts once you follow it."}


class ReauthenticateForm(_Worded, account.ReauthenticateForm):  # type: ignore[misc]  # untyped
    helps = {"password": ""}


class AuthenticateForm(_Worded, mfa.AuthenticateForm):  # type: ignore[misc]  # untyped
    helps = {"code": "From your authenticator app, or one of your recovery codes."}


class ReauthenticateCodeForm(_Worded, mfa.ReauthenticateForm):  # type: ignore[misc]  # untyped
    helps = {"code": "From your authenticator app, or one of your recovery codes."}


class ActivateTOTPForm(_Worded, ActivateTOTP):  # type: ignore[misc]  # untyped
    labels = {"code": "Code that the app shows"}
    helps = {"code": "Six digits. A new code comes every 30 seconds."}


class AddWebAuthnForm(_Worded, webauthn.AddWebAuthnForm):  # type: ignore[misc]  # untyped
    labels = {"passwordless": "Sign in with it alone, as a passkey"}
    helps = {
        "name": "To tell your keys apart, such as “Laptop” or “Blue key”.",
        "passwordless": "Takes the place of the password too. The device asks for a "
        "PIN, a fingerprint or the like.",
    }


class EditWebAuthnForm(_Worded, webauthn.EditWebAuthnForm):  # type: ignore[misc]  # untyped
    helps = {"name": "To tell your keys apart, such as “Laptop” or “Blue key”."}
