"""Pages of what was sent to a webhook, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_filters import filters

from alerts.filters import DeliveryFilter
from alerts.models import Delivery, DeliveryState, Webhook
from alerts.selectors import deliveries_of_webhook, webhooks_for_team
from alerts.services import send_again, send_test
from alerts.web.webhooks import address_of
from alerts.web.words import event_in_words, events_in_words
from portal.errors import TooMany
from portal.http.pages import go_to, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page
from teams.web.filters import PageFilter, filtered_list

# A delivery being sent now is due when its claim ends; later ones are not waited for.
WAITED_FOR = timedelta(minutes=3)


class DeliveryPageFilter(PageFilter, DeliveryFilter):
    shown = ("state",)
    state = filters.ChoiceFilter(
        label="Show",
        choices=[
            (DeliveryState.PENDING, "On their way"),
            (DeliveryState.DELIVERED, "Delivered"),
            (DeliveryState.FAILED, "Given up"),
        ],
    )


@require_safe
@team_page(Permission.WEBHOOK_MANAGE)
def webhook_detail(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Show a webhook with its log of deliveries, which follows what is sent."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    rows = deliveries_of_webhook(webhook)
    context = filtered_list(DeliveryPageFilter(request.GET, rows))
    deliveries = context["page"].rows
    context |= {
        "webhook": webhook,
        "events": events_in_words(webhook.events),
        "deliveries": [(each, event_in_words(each.alert.event)) for each in deliveries],
        "is_moving": _is_moving(deliveries),
    }
    return render_page(
        request, "alerts/webhook.html", context, partial="alerts/deliveries.html"
    )


@require_POST
@team_page(Permission.WEBHOOK_MANAGE)
def test_webhook(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Send a test alert; the log shows what becomes of it."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    try:
        send_test(actor=request.actor, webhook=webhook)
    except TooMany as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "A test is on its way. The log shows how it goes.")
    return go_to(request, address_of(request, webhook))


@require_POST
@team_page(Permission.WEBHOOK_MANAGE)
def retry(
    request: TeamRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID
) -> HttpResponse:
    """Send again what was given up."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    delivery: Delivery = find(deliveries_of_webhook(webhook), delivery_id)
    send_again(actor=request.actor, delivery=delivery)
    messages.success(request, "It is sent again. The log shows how it goes.")
    return go_to(request, address_of(request, webhook))


def _is_moving(deliveries: Iterable[Delivery]) -> bool:
    soon = timezone.now() + WAITED_FOR
    return any(
        each.state == DeliveryState.PENDING and each.due_at <= soon
        for each in deliveries
    )
