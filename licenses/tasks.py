from __future__ import annotations

from celery import shared_task


@shared_task
def tell_of_expiring_licenses_task() -> None:
    from licenses import alerts  # tasks are a leaf: services import them at the top

    alerts.tell_of_expiring_licenses()
