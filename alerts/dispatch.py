"""Sends alerts to recipients; workers are safe to run in any number and to kill.

1. An alert is stored in the transaction of the change that caused it.
2. A worker claims new alerts (``SKIP LOCKED``) and creates a delivery for each
   recipient, in one transaction.
3. A worker claims due deliveries (``alerts/claims.py``), and commits.
4. It sends, and stores each result at once, in its own transaction: webhooks
   concurrently, mails one by one in their own task, so that a slow mail server delays
   no webhook.

Teams take turns in all of this, and only a few webhooks of one team and to one host are
posted at a time. So a flood of alerts or a silent receiver delays no other team.

A delivery is sent twice only if a worker is killed between sending and storing, or if
the response is lost. Recipients can detect it: the ``webhook-id`` or ``Message-ID`` is
the same. A claim outlasts sending, and a short outage of the database.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import aiohttp
from asgiref.sync import async_to_sync, sync_to_async
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from alerts.claims import Turns, claim_mails, claim_webhooks
from alerts.mail import UNAVAILABLE, Mailer, MailServerUnavailable
from alerts.models import Alert, Delivery, Webhook
from alerts.results import SendResult, record_result
from alerts.selectors import members_to_mail, webhooks_to_post
from alerts.webhooks import attempt, webhook_session

BATCH = 50
AT_ONCE = 100
# A task stops claiming after this time, whatever is left: beat starts the next one.
# A post ends within 15 seconds, and a mail within two minutes: about ten steps of up to
# EMAIL_TIMEOUT each. Both are well within the claim.
TASK_SECONDS = 30
GATHER_SECONDS = 0.05
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)
logger = logging.getLogger(__name__)


def dispatch_alerts() -> int:
    """Create the deliveries of all new alerts; return the number of alerts."""
    number, turns = 0, Turns()
    while batch := _dispatch_batch(turns):
        number += batch
    return number


@transaction.atomic
def _dispatch_batch(turns: Turns) -> int:
    new = Alert.objects.filter(dispatched_at__isnull=True).order_by("created_at")
    alerts = turns.take(new, BATCH)
    deliveries = [delivery for alert in alerts for delivery in _deliveries(alert)]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(
        dispatched_at=timezone.now()
    )
    return len(alerts)


def _deliveries(alert: Alert) -> Iterable[Delivery]:
    for webhook in webhooks_to_post(alert.team_id, alert.event):
        yield Delivery(team_id=alert.team_id, alert=alert, webhook=webhook)
    for membership in members_to_mail(alert):
        yield Delivery(team_id=alert.team_id, alert=alert, user_id=membership.user_id)


@async_to_sync
async def send_due_webhooks() -> int:
    """Dispatch new alerts and post due deliveries, until none is left or time is up.

    Returns how many were posted. Each place that gets free is claimed at once, so that
    a silent receiver holds up nothing but its own deliveries.
    """
    # A slow lookup occupies a thread, so each delivery has its own.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE))
    deadline = time.monotonic() + TASK_SECONDS
    turns = Turns()
    running: set[asyncio.Task[None]] = set()
    number = 0
    async with webhook_session() as session:
        while True:
            new, claimed = 0, list[Delivery]()
            if time.monotonic() < deadline:
                places = AT_ONCE - len(running)
                new, claimed = await sync_to_async(_dispatch_and_claim)(turns, places)
            running |= {
                asyncio.create_task(_post(session, delivery, delivery.webhook))
                for delivery in claimed
                if delivery.webhook is not None
            }
            number += len(claimed)
            if not running and not new:
                return number
            running = await _wait_for_some(running, seconds=0 if new else 1)


def _dispatch_and_claim(turns: Turns, places: int) -> tuple[int, list[Delivery]]:
    """Dispatch some new alerts, and claim due deliveries; return both."""
    try:
        new = _dispatch_batch(turns)
        return new, claim_webhooks(places) if places else []
    except DATABASE_UNAVAILABLE:
        connection.close()
        logger.warning("Database unavailable: no alerts were claimed.")
        return 0, []


async def _wait_for_some(
    running: set[asyncio.Task[None]], *, seconds: float
) -> set[asyncio.Task[None]]:
    """Wait for some deliveries to end, but not longer; return the others."""
    if not running:
        return running
    await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    # One claim for all deliveries that end at about the same time.
    await asyncio.sleep(GATHER_SECONDS if seconds else 0)
    ended = {task for task in running if task.done()}
    for error in filter(None, (task.exception() for task in ended)):
        # Its claim expires, and then it is retried.
        logger.error("A delivery failed with an internal error.", exc_info=error)
    return running - ended


async def _post(
    session: aiohttp.ClientSession, delivery: Delivery, webhook: Webhook
) -> None:
    sent = await attempt(session, delivery, webhook)
    while True:
        if await sync_to_async(_store_result)(delivery, sent):
            return
        await asyncio.sleep(1)


def send_due_mails(*, seconds: float = TASK_SECONDS) -> int:
    """Mail due deliveries until none is left or time is up; return how many.

    Each is claimed just before it is sent, so that no claim expires while others are
    sent. If the mail server is unavailable, all due deliveries count as failed once.
    """
    number, turns = 0, Turns()
    deadline = time.monotonic() + seconds
    with Mailer() as mailer:
        while time.monotonic() < deadline and (claimed := claim_mails(turns, 1)):
            number += 1
            try:
                _mail(mailer, claimed[0])
            except MailServerUnavailable:
                for delivery in [*claimed, *claim_mails(Turns(), BATCH)]:
                    _store_mail_result(delivery, UNAVAILABLE)
                break
    return number


def _mail(mailer: Mailer, delivery: Delivery) -> None:
    user = delivery.user
    # They may have left, been deactivated, or unsubscribed in the meantime.
    if user and members_to_mail(delivery.alert).filter(user=user).exists():
        _store_mail_result(delivery, mailer.send(delivery, user))
    else:
        logger.info("Delivery %s: recipient is no longer subscribed.", delivery.pk)
        delivery.delete()


def _store_mail_result(delivery: Delivery, sent: SendResult) -> None:
    while not _store_result(delivery, sent):
        time.sleep(1)


def _store_result(delivery: Delivery, sent: SendResult) -> bool:
    """Store a result; return False if that must be retried. Never raises.

    While the database is unavailable, it must be retried until the claim expires.
    """
    try:
        record_result(delivery, sent)
    except Delivery.DoesNotExist:
        logger.info("Delivery %s was deleted while it was sent.", delivery.pk)
    except DATABASE_UNAVAILABLE:
        connection.close()
        if timezone.now() < delivery.due_at:
            return False
        logger.warning("Database unavailable: the result of a delivery was lost.")
    except Exception:  # must not affect other deliveries
        logger.exception("A result could not be stored: delivery %s.", delivery.pk)
    return True
