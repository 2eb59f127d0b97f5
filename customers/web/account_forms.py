"""The forms of signing in with a code."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as account
from allauth.account.adapter import get_adapter
from allauth.core import context
from django.conf import settings

from customers.sign_in import user_for_code
from portal.http.client_address import neighbourhood_of
from portal.limits.minute_counts import count


class RequestCodeForm(account.RequestLoginCodeForm):  # type: ignore[misc]  # untyped
    """Asks for a code, which is mailed only to people who may sign in with one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail address"
        self.fields["email"].widget.attrs.pop("placeholder", None)

    def clean_email(self) -> str:
        email: str = super().clean_email()
        _count_attempt()
        self._user = user_for_code(email)
        return email


class EnterCodeForm(account.ConfirmLoginCodeForm):  # type: ignore[misc]  # untyped
    """Takes the code; after three wrong ones another has to be asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("placeholder", None)

    def clean_code(self) -> str:
        _count_attempt()
        code: str = super().clean_code()
        return code


def _count_attempt() -> None:
    """Count with other sign-ins: allauth's own limits are in Redis alone."""
    address = neighbourhood_of(context.request)
    if count(f"sign-ins:{address}") > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
        raise get_adapter().validation_error("too_many_login_attempts")
