from __future__ import annotations

from celery import shared_task
from django.core.cache import cache

MAILING = "alerts-mailing"
# Longer than a run takes: after a worker that was killed mails wait for so long.
MAILING_SECONDS = 180


@shared_task
def dispatch_alerts_task() -> None:
    """Make deliveries of new alerts, and post to webhooks what is due."""
    from alerts import dispatch  # tasks are a leaf: services import them at the top

    dispatch.dispatch_alerts()
    dispatch.send_due_webhooks()


@shared_task
def send_mails_task() -> None:
    """Mail what is due, unless a worker is at it already.

    So a mail server that hangs keeps one process of a worker busy, and not all of them.
    """
    from alerts import dispatch  # tasks are a leaf: services import them at the top

    if cache.add(MAILING, 1, timeout=MAILING_SECONDS):
        try:
            dispatch.send_due_mails()
        finally:
            cache.delete(MAILING)


@shared_task
def delete_old_alerts_task() -> None:
    from alerts import services  # tasks are a leaf: services import them at the top

    services.delete_old_alerts()
