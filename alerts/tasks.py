from __future__ import annotations

from celery import shared_task
from django.core.cache import cache

from alerts.dispatch import send_due_mails, send_due_webhooks
from alerts.services import delete_old_alerts

MAILING = "alerts-mailing"
# Longer than any run. If a worker is killed, mails wait this long.
MAILING_SECONDS = 180


@shared_task
def dispatch_alerts_task() -> None:
    """Create the deliveries of new alerts, and post those due to webhooks."""
    send_due_webhooks()


@shared_task
def send_mails_task() -> None:
    """Mail due deliveries, unless another worker is doing so.

    Thus a mail server that hangs blocks only one process of the workers.
    """
    if cache.add(MAILING, 1, timeout=MAILING_SECONDS):
        try:
            send_due_mails()
        finally:
            cache.delete(MAILING)


@shared_task
def delete_old_alerts_task() -> None:
    delete_old_alerts()
