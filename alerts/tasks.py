from __future__ import annotations

from celery import shared_task


@shared_task
def dispatch_alerts_task() -> None:
    """Make deliveries of new alerts, and send what is due."""
    from alerts import dispatch  # tasks are a leaf: services import them at the top

    dispatch.dispatch_alerts()
    dispatch.send_due_deliveries()


@shared_task
def delete_old_alerts_task() -> None:
    from alerts import services  # tasks are a leaf: services import them at the top

    services.delete_old_alerts()
