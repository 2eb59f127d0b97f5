from __future__ import annotations

from celery import shared_task
from django.core.cache import cache

from alerts.dispatch import dispatch_alerts, send_due_mails, send_due_webhooks
from alerts.services import delete_old_alerts

MAILING = "alerts-mailing"
# Longer than a run takes: after a worker that was killed mails wait for so long.
MAILING_SECONDS = 180


@shared_task
def dispatch_alerts_task() -> None:
    """Make deliveries of new alerts, and post to webhooks what is due."""
    dispatch_alerts()
    send_due_webhooks()


@shared_task
def send_mails_task() -> None:
    """Mail what is due, unless a worker is at it already.

    So a mail server that hangs keeps one process of a worker busy, and not all of them.
    """
    if cache.add(MAILING, 1, timeout=MAILING_SECONDS):
        try:
            send_due_mails()
        finally:
            cache.delete(MAILING)


@shared_task
def delete_old_alerts_task() -> None:
    delete_old_alerts()
