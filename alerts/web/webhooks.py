"""Pages of webhooks: what they are, not what was sent to them."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

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
from alerts.web.words import events_in_words
from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, render_dialog
from portal.http.forms import CreateForm, EditForm, edit, refusals_in
from portal.http.keyset import keyset_page
from portal.http.pages import go_to, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once

# A name that is taken is told of the whole row; people look for it beside the name.
NAMES = {"__all__": "name"}
VERIFY = """\
# pip install standardwebhooks
import os

from standardwebhooks import Webhook


def read_alert(body: bytes, headers: dict[str, str]) -> dict:
    # Raises WebhookVerificationError if it is not Berth's.
    receiver = Webhook(os.environ["BERTH_WEBHOOK_SECRET"])
    return receiver.verify(body, headers)
"""


class _WebhookFields(forms.Form):
    name = forms.CharField(
        max_length=150, help_text="Who or what is told, such as Pager or Team chat."
    )
    url = forms.CharField(
        label="Address",
        max_length=2000,
        validators=[validate_webhook_url],
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hook"}),
        help_text="Alerts are posted there as JSON. It begins with https:// and can be "
        "reached from the internet.",
    )
    events = EventsField(label="Tell it when")


class NewWebhookForm(_WebhookFields, CreateForm):
    repeated = (
        "This webhook was added already, and its secret was shown once. If you do not "
        "have it, replace the secret."
    )


class NewSecretForm(CreateForm):
    repeated = (
        "The secret was replaced already, and the new one was shown once. If you do "
        "not have it, replace the secret again."
    )


class WebhookForm(_WebhookFields, EditForm):
    pass


@require_safe
@team_page(Permission.WEBHOOK_MANAGE)
def webhooks(request: TeamRequest) -> HttpResponse:
    """List the team's webhooks with their state."""
    page = keyset_page(webhooks_for_team(request.team.pk), request.GET.get("page", ""))
    rows = [(webhook, events_in_words(webhook.events)) for webhook in page.rows]
    context = {"page": page, "webhooks": rows}
    return render_page(request, "alerts/webhooks.html", context)


@team_page(Permission.WEBHOOK_MANAGE)
def add_webhook(request: TeamRequest) -> HttpResponse:
    """Add a webhook, and show its secret once."""
    form = NewWebhookForm(request.POST or None)
    if form.is_valid():
        with refusals_in(form, NAMES), once(request, form) as submission:
            webhook, secret = create_webhook(
                actor=request.actor, team=request.team, **form.entered
            )
            submission.address = address_of(request, webhook)
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
    """Change a webhook's name, address or events."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)

    def save(present: Webhook, changes: dict[str, Any]) -> object:
        return change_webhook(actor=request.actor, webhook=present, changes=changes)

    form, is_saved = edit(
        request, WebhookForm, webhook, values=_values, save=save, names=NAMES
    )
    if is_saved:
        messages.success(request, "The webhook is saved.")
        return go_to(request, address_of(request, webhook))
    return render_dialog(
        request,
        form=form,
        title=f"Edit {webhook.name}",
        back=address_of(request, webhook),
    )


@team_page(Permission.WEBHOOK_MANAGE)
def replace_secret(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Replace the secret, and show the new one once."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    form = NewSecretForm(request.POST or None)
    if form.is_valid():
        with refusals_in(form), once(request, form) as submission:
            secret = replace_webhook_secret(actor=request.actor, webhook=webhook)
            submission.address = address_of(request, webhook)
            title = f"New secret of {webhook.name}"
            return _secret_shown(request, webhook, secret, title)
    return render_dialog(
        request,
        form=form,
        title=f"Replace the secret of {webhook.name}?",
        details="alerts/webhook_secret.html",
        submit="Replace secret",
        back=address_of(request, webhook),
        webhook=webhook,
    )


@require_POST
@team_page(Permission.WEBHOOK_MANAGE)
def switch_on(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Send alerts to a webhook again."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    enable_webhook(actor=request.actor, webhook=webhook)
    messages.success(request, f"{webhook.name} is on: it is told of what comes now.")
    return go_to(request, address_of(request, webhook))


@team_page(Permission.WEBHOOK_MANAGE)
def switch_off(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Send a webhook nothing more, after saying what that gives up."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    reason = f"Switched off by {request.actor.label}."
    return confirm(
        request,
        lambda: disable_webhook(actor=request.actor, webhook=webhook, reason=reason),
        title=f"Switch {webhook.name} off?",
        text="It is sent nothing more, and pending deliveries are given up. It keeps "
        "its secret and its log: you can switch it on again. Alerts of the time in "
        "between are not sent later.",
        submit="Switch off",
        done=f"{webhook.name} is off and is sent nothing more.",
        back=address_of(request, webhook),
    )


@team_page(Permission.WEBHOOK_MANAGE)
def remove_webhook(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Delete a webhook with its log, after asking."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    return confirm(
        request,
        lambda: delete_webhook(actor=request.actor, webhook=webhook),
        title=f"Delete {webhook.name}?",
        text="It is sent nothing more, and its log and its secret are gone. This "
        "cannot be undone: to stop it for a while, switch it off instead.",
        submit="Delete",
        done=f"{webhook.name} is deleted.",
        back=address_of(request, webhook),
        after=team_url(request, "alerts-webhooks"),
    )


def address_of(request: TeamRequest, webhook: Webhook) -> str:
    """Return where a webhook's page is."""
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
        back=address_of(request, webhook),
    )


def _values(webhook: Webhook) -> dict[str, Any]:
    return {"name": webhook.name, "url": webhook.url, "events": webhook.events}
