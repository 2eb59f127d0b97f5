from __future__ import annotations

from celery import shared_task

from licenses.alerts import tell_of_expiring_licenses


@shared_task
def tell_of_expiring_licenses_task() -> None:
    tell_of_expiring_licenses()
