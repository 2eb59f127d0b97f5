"""Pages that list, add, change and delete webhooks."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from alerts.events import CHOOSABLE
from alerts.models import Webhook, validate_webhook_url
from alerts.selectors import webhooks_for_team
from alerts.services import (
    change_webhook,
    create_webhook,
    delete_webhook,
    disable_webhook,
    enable_webhook,
    replace_webhook_secret,
)
from alerts.web.forms import EventsField
from alerts.web.words import events_summary
from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, render_dialog
from portal.http.forms import CreateForm, EditForm, edit, refusals_in
from portal.http.keyset import keyset_page
from portal.http.pages import go_to, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once

# The only rule about the whole row is that a team's names are unique.
NAMES = {"__all__": "name"}
VERIFY = """\
# pip install standardwebhooks
import os

from standardwebhooks import Webhook


def read_alert(body: bytes, headers: dict[str, str]) -> dict:
    # Raises WebhookVerificationError if the signature is invalid.
    receiver = Webhook(os.environ["BERTH_WEBHOOK_SECRET"])
    return receiver.verify(body, headers)
"""


class _WebhookFields(forms.Form):
    name = forms.CharField(
        max_length=150,
        help_text="What receives the alerts, such as Pager or Team chat.",
    )
    url = forms.CharField(
        label="URL",
        max_length=2000,
        validators=[validate_webhook_url],
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hook"}),
        help_text="Berth posts alerts there as JSON. The URL must start with https:// "
        "and be reachable from the internet.",
    )
    events = EventsField(
        label="Send an alert when",
        events=CHOOSABLE,
        help_text="Events for programs go to webhooks only: nobody gets an e-mail, and "
        "the list of alerts does not show them.",
    )


class NewWebhookForm(_WebhookFields, CreateForm):
    repeated = (
        "This webhook was already added, and its secret was shown once. If you did not "
        "save the secret, replace it."
    )


class NewSecretForm(CreateForm):
    repeated = (
        "The secret was already replaced, and the new one was shown once. If you did "
        "not save it, replace it again."
    )


class WebhookForm(_WebhookFields, EditForm):
    pass


@require_safe
@team_page(Permission.WEBHOOK_MANAGE)
def webhooks(request: TeamRequest) -> HttpResponse:
    """List the team's webhooks with their state."""
    page = keyset_page(webhooks_for_team(request.team.pk), request.GET.get("page", ""))
    rows = [
        (webhook, events_summary(webhook.events, CHOOSABLE)) for webhook in page.rows
    ]
    context = {"page": page, "webhooks": rows}
    return render_page(request, "alerts/webhooks.html", context)


@team_page(Permission.WEBHOOK_MANAGE)
def add_webhook(request: TeamRequest) -> HttpResponse:
    """Add a webhook, and show its secret once."""
    form = NewWebhookForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form, NAMES), once(request, form) as submission:
            webhook, secret = create_webhook(
                actor=request.actor, team=request.team, **form.entered
            )
            submission.address = webhook_url(request, webhook)
            title = f"Webhook added: {webhook.name}"
            return _secret_shown(request, webhook, secret, title)
    return render_dialog(
        request,
        form=form,
        title="Add webhook",
        submit="Add webhook",
        back=team_url(request, "alerts-webhooks"),
    )


@team_page(Permission.WEBHOOK_MANAGE)
def edit_webhook(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Change a webhook's name, URL or events."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)

    def save(current: Webhook, changes: dict[str, Any]) -> object:
        return change_webhook(actor=request.actor, webhook=current, changes=changes)

    form, is_saved = edit(
        request, WebhookForm, webhook, values=_values, save=save, names=NAMES
    )
    if is_saved:
        messages.success(request, f"{webhook.name} was updated.")
        return go_to(request, webhook_url(request, webhook))
    return render_dialog(
        request,
        form=form,
        title=f"Edit {webhook.name}",
        back=webhook_url(request, webhook),
    )


@team_page(Permission.WEBHOOK_MANAGE)
def replace_secret(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Replace the secret, and show the new one once."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    form = NewSecretForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            secret = replace_webhook_secret(actor=request.actor, webhook=webhook)
            submission.address = webhook_url(request, webhook)
            title = f"New secret for {webhook.name}"
            return _secret_shown(request, webhook, secret, title)
    return render_dialog(
        request,
        form=form,
        title=f"Replace the secret of {webhook.name}?",
        details="alerts/webhook_secret.html",
        submit="Replace secret",
        back=webhook_url(request, webhook),
        webhook=webhook,
    )


@require_POST
@team_page(Permission.WEBHOOK_MANAGE)
def enable(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Enable a webhook: it gets the alerts from now on."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    enable_webhook(actor=request.actor, webhook=webhook)
    messages.success(
        request, f"{webhook.name} was enabled. It gets new alerts from now on."
    )
    return go_to(request, webhook_url(request, webhook))


@team_page(Permission.WEBHOOK_MANAGE)
def disable(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Disable a webhook, after showing the consequences."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    reason = f"Disabled by {request.actor.label}."
    return confirm(
        request,
        lambda: disable_webhook(actor=request.actor, webhook=webhook, reason=reason),
        title=f"Disable {webhook.name}?",
        text="It gets no more alerts, and pending deliveries fail. You can enable it "
        "again: it keeps its secret and log, but does not get the alerts it missed.",
        submit="Disable",
        done=f"{webhook.name} was disabled.",
        back=webhook_url(request, webhook),
    )


@team_page(Permission.WEBHOOK_MANAGE)
def delete(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Delete a webhook with its log, after confirmation."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    return confirm(
        request,
        lambda: delete_webhook(actor=request.actor, webhook=webhook),
        title=f"Delete {webhook.name}?",
        text="This deletes the webhook with its secret and log, and cannot be undone. "
        "To pause it, disable it instead.",
        submit="Delete",
        done=f"{webhook.name} was deleted.",
        back=webhook_url(request, webhook),
        after=team_url(request, "alerts-webhooks"),
    )


def webhook_url(request: TeamRequest, webhook: Webhook) -> str:
    """Return the URL of a webhook's page."""
    return team_url(request, "alerts-webhook-detail", webhook_id=webhook.pk)


def _secret_shown(
    request: TeamRequest, webhook: Webhook, secret: Secret, title: str
) -> HttpResponse:
    return render_dialog(
        request,
        "alerts/webhook_secret_shown.html",
        title=title,
        webhook=webhook,
        secret=secret.reveal(),
        verify=VERIFY,
        back=webhook_url(request, webhook),
    )


def _values(webhook: Webhook) -> dict[str, Any]:
    return {"name": webhook.name, "url": webhook.url, "events": webhook.events}
