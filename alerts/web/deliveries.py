"""A webhook's page with its log of deliveries, tests and retries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_filters import filters

from alerts.events import CHOOSABLE
from alerts.filters import DeliveryFilter
from alerts.models import Delivery, DeliveryState, Webhook
from alerts.selectors import deliveries_of_webhook, webhooks_for_team
from alerts.services import send_again, send_test
from alerts.web.webhooks import webhook_url
from alerts.web.words import event_label, events_summary
from portal.http.pages import go_to, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page
from teams.web.lists.filters import PageFilter, filtered_list

# The page refreshes itself while a delivery is due within this time. A delivery that is
# being sent is due when its claim ends.
REFRESH_WITHIN = timedelta(minutes=3)


class DeliveryPageFilter(PageFilter, DeliveryFilter):
    shown = ("state",)
    state = filters.ChoiceFilter(
        label="Show",
        choices=[
            (DeliveryState.PENDING, "Pending"),
            (DeliveryState.DELIVERED, "Delivered"),
            (DeliveryState.FAILED, "Failed"),
        ],
    )


@require_safe
@team_page(Permission.WEBHOOK_MANAGE)
def webhook_detail(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Show a webhook with its log of deliveries, refreshed while some are due."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    rows = deliveries_of_webhook(webhook)
    context = filtered_list(DeliveryPageFilter(request.GET, rows))
    deliveries = context["page"].rows
    context |= {
        "webhook": webhook,
        "events": events_summary(webhook.events, CHOOSABLE),
        "deliveries": [
            (delivery, event_label(delivery.alert.event)) for delivery in deliveries
        ],
        "should_refresh": _is_any_due_soon(deliveries),
    }
    return render_page(
        request, "alerts/webhook.html", context, partial="alerts/deliveries.html"
    )


@require_POST
@team_page(Permission.WEBHOOK_MANAGE)
def test_webhook(request: TeamRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Send a test alert; the log shows its result."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    send_test(actor=request.actor, webhook=webhook)
    messages.success(request, "Test queued. The log shows the result.")
    return go_to(request, webhook_url(request, webhook))


@require_POST
@team_page(Permission.WEBHOOK_MANAGE)
def retry(
    request: TeamRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID
) -> HttpResponse:
    """Resend a failed delivery."""
    webhook: Webhook = find(webhooks_for_team(request.team.pk), webhook_id)
    delivery: Delivery = find(deliveries_of_webhook(webhook), delivery_id)
    send_again(actor=request.actor, delivery=delivery)
    messages.success(request, "Delivery queued. The log shows the result.")
    return go_to(request, webhook_url(request, webhook))


def _is_any_due_soon(deliveries: Iterable[Delivery]) -> bool:
    soon = timezone.now() + REFRESH_WITHIN
    return any(
        delivery.state == DeliveryState.PENDING and delivery.due_at <= soon
        for delivery in deliveries
    )
