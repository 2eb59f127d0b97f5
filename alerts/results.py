"""Records the result of an attempt to deliver, and plans what follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from alerts.events import Event
from alerts.models import Delivery, DeliveryState, Webhook
from alerts.services import disable_webhook, raise_alert
from portal.database.retry import atomic_with_retry
from teams.actors import system_actor

# After the first attempt: 1, 2, 4 … 128 minutes, about four hours in all.
MAX_ATTEMPTS = 9
MAX_FAILURES = 10


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of one attempt. ``is_gone`` means that retrying is useless."""

    ok: bool
    detail: str
    http_status: int | None = None
    is_gone: bool = False


INTERNAL_ERROR = SendResult(
    ok=False, detail="Internal error in Berth; see the server log."
)


@atomic_with_retry
def record_result(delivery: Delivery, sent: SendResult) -> None:
    """Store an attempt; schedule the next one, or give up.

    A webhook is disabled after ten failed alerts in a row, or if it answers 410 Gone.
    The owners are notified by mail.

    Raises:
        Delivery.DoesNotExist: it was deleted during the attempt.
    """
    # The webhook first, as where it is disabled or deleted with its deliveries.
    webhook = _locked_webhook(delivery)
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if delivery.state != DeliveryState.PENDING:
        return
    now = timezone.now()
    delivery.is_claimed = False
    delivery.attempts += 1
    delivery.http_status = sent.http_status
    delivery.detail = sent.detail[:300]
    if sent.ok:
        delivery.state, delivery.finished_at = DeliveryState.DELIVERED, now
    elif sent.is_gone or delivery.attempts >= MAX_ATTEMPTS:
        delivery.state, delivery.finished_at = DeliveryState.FAILED, now
    else:
        delivery.due_at = now + timedelta(minutes=2 ** (delivery.attempts - 1))
    delivery.save()
    if webhook is not None and delivery.finished_at is not None:
        _count_failures(webhook, sent)


def _locked_webhook(delivery: Delivery) -> Webhook | None:
    if delivery.webhook_id is None:
        return None
    webhooks = Webhook.objects.for_team(delivery.team_id).select_related("team")
    locked = webhooks.select_for_update(of=("self",))
    return locked.filter(pk=delivery.webhook_id).first()


def _count_failures(webhook: Webhook, sent: SendResult) -> None:
    failures = 0 if sent.ok else webhook.failures + 1
    if failures != webhook.failures:
        webhook.failures = failures
        webhook.save(update_fields=["failures"])
    if sent.is_gone or failures >= MAX_FAILURES:
        _disable(webhook, sent)


def _disable(webhook: Webhook, sent: SendResult) -> None:
    if webhook.disabled_at is not None:
        return
    webhook = disable_webhook(
        actor=system_actor(webhook.team), webhook=webhook, reason=sent.detail
    )
    raise_alert(
        team_id=webhook.team_id,
        event=Event.WEBHOOK_DISABLED,
        subject=webhook,
        key=f"{webhook.pk}:{webhook.disabled_at}",
        message=(
            f"The webhook {webhook.name} was disabled because alerts could not be "
            f"delivered: {sent.detail} Fix the endpoint, then enable the webhook again."
        ),
    )
