"""Pages of an application's channels."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import HttpResponse

from licenses.models import Channel
from licenses.selectors import channels_with_licenses
from licenses.services import change_channel, create_channel, delete_channel
from licenses.web.applications import SluggedForm, application_address, find_application
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import EditForm, refusals_in
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page
from teams.web.forms import SLUG_HELP, SLUG_LENGTH
from teams.web.once import once


class ChannelForm(EditForm):
    name = forms.CharField(max_length=150, help_text="Appears in license files.")
    is_default = forms.BooleanField(
        label="Default for new licenses",
        required=False,
        help_text="Replaces the current default channel.",
    )

    def __init__(self, *args: Any, is_default: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_default:
            # It stops being the default when another channel becomes it.
            del self.fields["is_default"]


@team_page(Permission.APPLICATION_MANAGE)
def edit_channel(
    request: TeamRequest, application_slug: str, channel_id: uuid.UUID
) -> HttpResponse:
    """Rename a channel, which changes license files, or make it the default."""
    application = find_application(request, application_slug)
    channel: Channel = find(channels_with_licenses(application), channel_id)

    def save(row: Channel, changes: dict[str, Any]) -> object:
        return change_channel(actor=request.actor, channel=row, changes=changes)

    return edit_dialog(
        request,
        ChannelForm,
        channel,
        values=lambda row: {"name": row.name, "is_default": row.is_default},
        save=save,
        options={"is_default": channel.is_default},
        title=f"Edit channel {channel.name}",
        details="licenses/channel_edit.html",
        done="The channel is saved.",
        back=application_address(request, application),
        channel=channel,
    )


class NewChannelForm(SluggedForm):
    name = forms.CharField(
        max_length=150, help_text="Such as Beta. Appears in license files."
    )
    slug = forms.CharField(
        max_length=SLUG_LENGTH,
        required=False,
        help_text=f"For programs. {SLUG_HELP} Leave empty to derive it from the name.",
    )
    is_default = forms.BooleanField(
        label="Default for new licenses",
        required=False,
        help_text="Replaces the current default channel.",
    )


@team_page(Permission.APPLICATION_MANAGE)
def add_channel(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Add a channel to an application."""
    application = find_application(request, application_slug)
    form = NewChannelForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            channel = create_channel(
                actor=request.actor, application=application, **form.entered
            )
            address = application_address(request, application)
            return submission.done(address, f"{channel.name} is added.")
    return render_dialog(
        request,
        form=form,
        title=f"Add channel to {application.name}",
        submit="Add channel",
        back=application_address(request, application),
    )


@team_page(Permission.APPLICATION_MANAGE)
def remove_channel(
    request: TeamRequest, application_slug: str, channel_id: uuid.UUID
) -> HttpResponse:
    """Delete a channel that no license is on and that is not the default."""
    application = find_application(request, application_slug)
    channel: Channel = find(channels_with_licenses(application), channel_id)
    return confirm(
        request,
        lambda: delete_channel(actor=request.actor, channel=channel),
        title=f"Delete channel {channel.name}?",
        details="licenses/channel_delete.html",
        submit="Delete channel",
        is_possible=not (channel.is_default or channel.all_licenses),  # type: ignore[attr-defined]  # annotated
        done=f"{channel.name} is deleted.",
        back=application_address(request, application),
        application=application,
        channel=channel,
    )
