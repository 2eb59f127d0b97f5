"""Sends alerts to recipients; workers are safe to run in any number and to kill.

1. An alert is stored in the transaction of the change that caused it.
2. A worker claims new alerts (``SKIP LOCKED``) and creates a delivery for each
   recipient, in one transaction.
3. A worker claims due deliveries by moving their ``due_at`` past the longest time that
   sending can take, and commits. The claim of a killed worker expires then.
4. It sends, and stores each result at once, in its own transaction: webhooks
   concurrently, mails one by one in their own task, so that a slow mail server delays
   no webhook.

A delivery is sent twice only if a worker is killed between sending and storing, or if
the response is lost. Recipients can detect it: the ``webhook-id`` or ``Message-ID`` is
the same. A claim outlasts sending, and a short outage of the database.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from alerts.mail import UNAVAILABLE, Mailer, MailServerUnavailable
from alerts.models import Alert, Delivery, DeliveryQuerySet, DeliveryState, Webhook
from alerts.results import SendResult, record_result
from alerts.selectors import members_to_mail
from alerts.webhooks import post_all

CLAIM = timedelta(minutes=3)
BATCH = 50
# A task stops claiming after this time, whatever is left: beat starts the next one.
# A post ends within 15 seconds, and a mail within two minutes: about ten steps of up to
# EMAIL_TIMEOUT each. Both are well within the claim.
TASK_SECONDS = 30
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)
logger = logging.getLogger(__name__)


def dispatch_alerts() -> int:
    """Create the deliveries of all new alerts; return the number of alerts."""
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
    deliveries = [delivery for alert in alerts for delivery in _deliveries(alert)]
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
    for membership in members_to_mail(alert):
        yield Delivery(team_id=alert.team_id, alert=alert, user_id=membership.user_id)


def send_due_webhooks() -> int:
    """Post due deliveries until none is left or time is up; return how many."""
    number = 0
    deadline = time.monotonic() + TASK_SECONDS
    while time.monotonic() < deadline and (claimed := _claim(_webhooks_due(), BATCH)):
        pairs = [
            (delivery, delivery.webhook)
            for delivery in claimed
            if delivery.webhook is not None
        ]
        post_all(pairs, _store_result)
        number += len(claimed)
    return number


def send_due_mails(*, seconds: float = TASK_SECONDS) -> int:
    """Mail due deliveries until none is left or time is up; return how many.

    Each is claimed just before it is sent, so that no claim expires while others are
    sent. If the mail server is unavailable, all due deliveries count as failed once.
    """
    number = 0
    deadline = time.monotonic() + seconds
    with Mailer() as mailer:
        while time.monotonic() < deadline and (claimed := _claim(_mails_due(), 1)):
            number += 1
            try:
                _mail(mailer, claimed[0])
            except MailServerUnavailable:
                for delivery in [*claimed, *_claim(_mails_due(), BATCH)]:
                    _store_result(delivery, UNAVAILABLE)
                break
    return number


def _mail(mailer: Mailer, delivery: Delivery) -> None:
    user = delivery.user
    # They may have left, been deactivated, or unsubscribed in the meantime.
    if user and members_to_mail(delivery.alert).filter(user=user).exists():
        _store_result(delivery, mailer.send(delivery, user))
    else:
        logger.info("Delivery %s: recipient is no longer subscribed.", delivery.pk)
        delivery.delete()


def _store_result(delivery: Delivery, sent: SendResult) -> None:
    """Store a result; never raises.

    While the database is unavailable, it retries until the claim expires.
    """
    while True:
        try:
            record_result(delivery, sent)
        except Delivery.DoesNotExist:
            logger.info("Delivery %s was deleted while it was sent.", delivery.pk)
        except DATABASE_UNAVAILABLE:
            connection.close()
            if timezone.now() < delivery.due_at:
                time.sleep(1)
                continue
            logger.warning("Database unavailable: the result of a delivery was lost.")
        except Exception:  # must not affect other deliveries
            logger.exception("A result could not be stored: delivery %s.", delivery.pk)
        return


def _webhooks_due() -> DeliveryQuerySet:
    return Delivery.objects.due().filter(webhook__isnull=False)


def _mails_due() -> DeliveryQuerySet:
    return Delivery.objects.due().filter(user__isnull=False)


@transaction.atomic
def _claim(due: DeliveryQuerySet, number: int) -> list[Delivery]:
    ids = list(
        due.order_by("due_at")
        .select_for_update(skip_locked=True)
        .values_list("pk", flat=True)[:number]
    )
    Delivery.objects.filter(pk__in=ids).update(due_at=timezone.now() + CLAIM)
    return list(
        Delivery.objects.filter(pk__in=ids, state=DeliveryState.PENDING).select_related(
            "alert__team", "webhook", "user"
        )
    )
