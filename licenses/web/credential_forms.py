"""The forms of pull credentials, for the vendor's dialogs and the customer's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from licenses.models import PullCredential
from licenses.networks import canonical_network
from portal.http.forms import CreateForm, EditForm
from teams.web.forms import ExpiryField

AT_ANOTHER_TIME = "at"


class NetworksField(forms.CharField):
    """Networks, separated by blanks, commas or line breaks."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=5000,
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
            help_text=(
                "Where it may be used from, one per line, such as 192.0.2.0/24. Leave "
                "empty for everywhere."
            ),
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return [canonical_network(part) for part in text.replace(",", " ").split()]
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class NewCredentialForm(CreateForm):
    repeated = (
        "This pull credential has already been created and was shown once. If you do "
        "not have it, rotate it."
    )
    name = forms.CharField(
        max_length=100, help_text="Where it will be used, such as Production cluster."
    )
    expires_at = ExpiryField()
    networks = NetworksField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        explain_zone(self)


class CredentialForm(EditForm):
    name = forms.CharField(max_length=100)
    expires_at = ExpiryField()
    networks = NetworksField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        explain_zone(self)


class ReplaceForm(CreateForm):
    """When the old secret ends: after some days, or at an instant."""

    repeated = (
        "The new secret has already been made and was shown once. If you do not have "
        "it, end the old one, then make another."
    )
    old_ends = forms.ChoiceField(
        label="The old secret ends",
        initial="7",
        widget=forms.RadioSelect,
        choices=[
            ("7", "in 7 days"),
            ("30", "in 30 days"),
            ("90", "in 90 days"),
            (AT_ANOTHER_TIME, "at another time within 90 days"),
            ("0", "now: whoever uses it is refused at once"),
        ],
    )
    old_ends_at = ExpiryField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = timezone.get_current_timezone_name()
        self.fields["old_ends_at"].label = "The other time"
        self.fields["old_ends_at"].help_text = f"In the time zone {zone}."

    def clean_old_ends_at(self) -> datetime | None:
        instant: datetime | None = self.cleaned_data["old_ends_at"]
        is_needed = self.cleaned_data.get("old_ends") == AT_ANOTHER_TIME
        if is_needed and instant is None:
            raise forms.ValidationError("Enter a date and time.")
        return instant if is_needed else None

    @property
    def chosen_end(self) -> datetime:
        instant: datetime | None = self.cleaned_data["old_ends_at"]
        if instant is not None:
            return instant
        return timezone.now() + timedelta(days=int(self.cleaned_data["old_ends"]))


def words_of_revoking(credential: PullCredential) -> dict[str, Any]:
    """Return how a dialog asks whether to revoke a secret, and says that it is."""
    if credential.replaced_by_id is None:
        return {
            "title": f"Revoke {credential.name}?",
            "submit": "Revoke",
            "done": f"{credential.name} is revoked and can no longer pull.",
        }
    return {
        "title": f"End the previous secret of {credential.name}?",
        "submit": "End previous secret",
        "done": f"The previous secret of {credential.name} can no longer pull.",
    }


def form_values(credential: PullCredential) -> dict[str, Any]:
    """Return the values that :class:`CredentialForm` edits."""
    return {
        "name": credential.name,
        "expires_at": credential.expires_at,
        "networks": "\n".join(credential.networks),
    }


def kept_expiry(
    credential: PullCredential, entered: datetime | None
) -> datetime | None:
    """Return the stored instant if the form, which has no seconds, left it alone."""
    stored = credential.expires_at
    if stored is not None and stored.replace(second=0, microsecond=0) == entered:
        return stored
    return entered


def explain_zone(form: forms.Form) -> None:
    zone = timezone.get_current_timezone_name()
    help_text = f"In the time zone {zone}. Leave empty for no expiry."
    form.fields["expires_at"].help_text = help_text
