"""From alerts to recipients: safe with any number of workers, killed at any moment.

1. An alert is written with the change that it tells of.
2. A worker claims alerts that nobody has claimed (``SKIP LOCKED``) and makes a delivery
   for each recipient, in one transaction.
3. A worker claims deliveries that are due by moving their ``due_at`` beyond the
   longest time that sending can take, and commits. A killed worker's claim ends then.
4. It sends, and writes what became of each.

A worker killed between sending and writing sends once more: receivers of webhooks know
the same ``webhook-id``, and mails have the same ``Message-ID``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts.events import Event
from alerts.mail import send_mails
from alerts.models import Alert, Delivery, DeliveryState, Webhook
from alerts.results import Sent, record_sent
from alerts.selectors import TOLD_EVERYTHING
from alerts.webhooks import post_all
from teams.models import Membership
from teams.permissions import Role

CLAIM = timedelta(minutes=3)
BATCH = 50
logger = logging.getLogger(__name__)


def dispatch_alerts() -> int:
    """Make deliveries for all alerts that have none yet; return how many alerts."""
    number = 0
    while batch := _dispatch_batch():
        number += batch
    return number


@transaction.atomic
def _dispatch_batch() -> int:
    alerts = list(
        Alert.objects.filter(dispatched_at__isnull=True)
        .order_by("created_at")
        .select_for_update(skip_locked=True)[:BATCH]
    )
    deliveries = [each for alert in alerts for each in _deliveries(alert)]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(
        dispatched_at=timezone.now()
    )
    return len(alerts)


def _deliveries(alert: Alert) -> Iterable[Delivery]:
    webhooks = Webhook.objects.for_team(alert.team_id).filter(
        disabled_at__isnull=True, events__contains=[alert.event]
    )
    for webhook in webhooks:
        yield Delivery(team_id=alert.team_id, alert=alert, webhook=webhook)
    for membership in _members_to_tell(alert):
        yield Delivery(team_id=alert.team_id, alert=alert, user_id=membership.user_id)


def _members_to_tell(alert: Alert) -> list[Membership]:
    members = Membership.objects.for_team(alert.team_id).filter(user__is_active=True)
    if alert.event == Event.WEBHOOK_DISABLED:
        return list(members.filter(role=Role.OWNER))
    chose_it = Q(alert_subscription__events__contains=[alert.event])
    chose_nothing_yet = Q(alert_subscription__isnull=True, role__in=TOLD_EVERYTHING)
    return list(members.filter(chose_it | chose_nothing_yet))


def send_due_deliveries() -> int:
    """Send what is due until nothing is left; return how many were tried."""
    number = 0
    while claimed := _claim():
        outcomes = [
            *post_all([each for each in claimed if each.webhook is not None]),
            *send_mails([each for each in claimed if each.user is not None]),
        ]
        for delivery, sent in outcomes:
            _record(delivery, sent)
        number += len(claimed)
    return number


def _record(delivery: Delivery, sent: Sent) -> None:
    try:
        record_sent(delivery, sent)
    except Delivery.DoesNotExist:
        logger.info("Delivery %s was deleted while it was sent.", delivery.pk)


@transaction.atomic
def _claim() -> list[Delivery]:
    ids = list(
        Delivery.objects.due()
        .order_by("due_at")
        .select_for_update(skip_locked=True)
        .values_list("pk", flat=True)[:BATCH]
    )
    Delivery.objects.filter(pk__in=ids).update(due_at=timezone.now() + CLAIM)
    return list(
        Delivery.objects.filter(pk__in=ids, state=DeliveryState.PENDING).select_related(
            "alert__team", "webhook", "user"
        )
    )
