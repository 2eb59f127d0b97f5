"""Forms of actions on many licenses or customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from licenses.models import License
from licenses.selectors import channels_of_applications
from licenses.services.bulk import ChangeChannel, LicenseAction, Renew, Revoke
from licenses.web.license_changes import REASONS
from portal.http.forms import CreateForm, fingerprint

YEAR, AT = "year", "at"


class BulkForm(CreateForm):
    """What to do to the chosen ``rows``.

    ``shown`` is the fingerprint of the values whose effect was shown.
    """

    shown = forms.CharField(required=False, widget=forms.HiddenInput)
    # The fields that the effect depends on.
    decisive: ClassVar[Sequence[str]] = ()
    # Whether the values that the form begins with have an effect to show.
    has_default = True

    def __init__(self, *args: Any, rows: Sequence[Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self.rows = rows

    def action(self) -> LicenseAction:
        """Return the action with the entered values, or those it begins with."""
        raise NotImplementedError

    def values_shown(self) -> str:
        """Return the fingerprint of the values whose effect is shown now."""
        return fingerprint(
            {name: str(self[name].value() or "") for name in self.decisive}
        )

    @property
    def is_as_shown(self) -> bool:
        """Return whether the effect of these very values was shown."""
        return bool(self.cleaned_data["shown"] == self.values_shown())


class RenewForm(BulkForm):
    decisive = ("expiry", "until")
    expiry = forms.ChoiceField(
        label="New expiry",
        choices=[(YEAR, "One year after each license's end"), (AT, "At a date")],
        initial=YEAR,
        widget=forms.RadioSelect,
    )
    until = forms.DateTimeField(
        label="Date and time",
        required=False,
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        ),
        error_messages={"invalid": "Enter a date and time, such as 2031-12-31 18:00."},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        zone = timezone.get_current_timezone_name()
        self.fields["until"].help_text = f"In your team's time zone, {zone}."

    def clean(self) -> dict[str, Any]:
        until = self.cleaned_data.get("until")
        if self.cleaned_data.get("expiry") != AT:
            self.errors.pop("until", None)
            return self.cleaned_data | {"until": None}
        if until is None and "until" not in self.errors:
            self.add_error("until", "Enter when the licenses expire.")
        elif until is not None and (until <= timezone.now() or until.year >= 9999):
            self.add_error("until", "Enter a date in the future, before 9999.")
        return self.cleaned_data

    def action(self) -> LicenseAction:
        return Renew(self.cleaned_data["until"] if self.is_bound else None)


class ChannelForm(BulkForm):
    """Offers the channels of the applications of the chosen licenses."""

    decisive = ("channel",)
    has_default = False
    channel = forms.ChoiceField(
        widget=forms.RadioSelect,
        help_text="Licenses of other applications are skipped.",
    )

    def __init__(self, *args: Any, rows: Sequence[License], **options: Any) -> None:
        super().__init__(*args, rows=rows, **options)
        applications = {row.application_id for row in rows}
        channels = channels_of_applications(rows[0].team_id, applications)
        self.channels = {str(channel.pk): channel for channel in channels}
        field: Any = self.fields["channel"]
        is_one = len(applications) == 1
        field.choices = [
            (pk, row.name if is_one else f"{row.application.name}: {row.name}")
            for pk, row in self.channels.items()
        ]
        if is_one:
            field.help_text = ""

    def action(self) -> LicenseAction:
        return ChangeChannel(self.channels[self.cleaned_data["channel"]])


class RevokeManyForm(BulkForm):
    reason = forms.CharField(
        max_length=1000,
        widget=forms.TextInput(attrs={"list": "reasons", "autocomplete": "off"}),
        help_text="Visible to your team on each license's page and in the audit log.",
        error_messages={"required": "Enter a reason."},
    )
    reasons = REASONS

    def action(self) -> LicenseAction:
        return Revoke(self.cleaned_data["reason"] if self.is_bound else "")


class ArchiveForm(BulkForm):
    pass
