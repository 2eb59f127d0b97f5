"""From alerts to recipients: safe with any number of workers, killed at any moment.

1. An alert is written with the change that it tells of.
2. A worker claims alerts that nobody has claimed (``SKIP LOCKED``) and makes a delivery
   for each recipient, in one transaction.
3. A worker claims deliveries that are due by moving their ``due_at`` beyond the
   longest time that sending can take, and commits. A killed worker's claim ends then.
4. It sends, and writes what became of each as soon as it is there, in a transaction of
   its own: webhooks all at the same time, mails one by one in a task of their own, so
   that a mail server that is slow holds up no webhook.

What was taken is sent once more only if a worker is killed between sending and writing,
or the answer is lost on its way, which cannot be helped: receivers of webhooks know the
same ``webhook-id``, and mails have the same ``Message-ID``. A claim outlasts what is
sent under it, and a database that is away for a while.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from alerts.events import Event
from alerts.mail import AWAY, Mailer, MailServerAway
from alerts.models import Alert, Delivery, DeliveryQuerySet, DeliveryState, Webhook
from alerts.results import Sent, record_sent
from alerts.selectors import TOLD_EVERYTHING
from alerts.webhooks import post_all
from teams.models import Membership
from teams.permissions import Role

CLAIM = timedelta(minutes=3)
BATCH = 50
# A task claims nothing more after so long, whatever is left: beat starts the next one.
# A post ends within 15 seconds, and a mail within two minutes: its ten or so steps take
# up to EMAIL_TIMEOUT each. Both are well within the claim.
TASK_SECONDS = 30
DATABASE_IS_AWAY = (OperationalError, InterfaceError)
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


def _members_to_tell(alert: Alert) -> QuerySet[Membership]:
    members = Membership.objects.for_team(alert.team_id).filter(user__is_active=True)
    if alert.event == Event.WEBHOOK_DISABLED:
        return members.filter(role=Role.OWNER)
    chose_it = Q(alert_subscription__events__contains=[alert.event])
    chose_nothing_yet = Q(alert_subscription__isnull=True, role__in=TOLD_EVERYTHING)
    return members.filter(chose_it | chose_nothing_yet)


def send_due_webhooks() -> int:
    """Post what is due until nothing is, or time is up; return how many were tried."""
    number = 0
    deadline = time.monotonic() + TASK_SECONDS
    while time.monotonic() < deadline and (claimed := _claim(_webhooks_due(), BATCH)):
        post_all(claimed, _record)
        number += len(claimed)
    return number


def send_due_mails(*, seconds: float = TASK_SECONDS) -> int:
    """Mail what is due until nothing is, or time is up; return how many were claimed.

    Each is claimed when its turn comes, so that no claim ends while others are sent. If
    the mail server is away, all that are due have failed once more.
    """
    number = 0
    deadline = time.monotonic() + seconds
    with Mailer() as mailer:
        while time.monotonic() < deadline and (claimed := _claim(_mails_due(), 1)):
            number += 1
            try:
                _mail(mailer, claimed[0])
            except MailServerAway:
                for delivery in [*claimed, *_claim(_mails_due(), BATCH)]:
                    _record(delivery, AWAY)
                break
    return number


def _mail(mailer: Mailer, delivery: Delivery) -> None:
    assert delivery.user is not None  # noqa: S101 -- narrows; see the caller
    # They may have left since, or been switched off, or chosen to be told no more.
    if _members_to_tell(delivery.alert).filter(user=delivery.user).exists():
        _record(delivery, mailer.send(delivery))
    else:
        logger.info("Delivery %s is to somebody who is told no more.", delivery.pk)
        delivery.delete()


def _record(delivery: Delivery, sent: Sent) -> None:
    """Write a result down; never raises.

    While the database is away it is tried again, until the claim ends.
    """
    while True:
        try:
            record_sent(delivery, sent)
        except Delivery.DoesNotExist:
            logger.info("Delivery %s was deleted while it was sent.", delivery.pk)
        except DATABASE_IS_AWAY:
            connection.close()
            if timezone.now() < delivery.due_at:
                time.sleep(1)
                continue
            logger.warning("The database is away: a delivery was not written down.")
        except Exception:  # its trouble must not be that of other deliveries
            logger.exception("A delivery was not written down: %s.", delivery.pk)
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
