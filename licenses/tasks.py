from __future__ import annotations

from celery import shared_task

from licenses.alerts import alert_expiring_licenses
from licenses.credential_alerts import (
    alert_expiring_credentials,
    alert_unused_credentials,
)
from licenses.services.identities import refresh_issuers


@shared_task
def alert_expiring_licenses_task() -> None:
    alert_expiring_licenses()
    alert_expiring_credentials()
    alert_unused_credentials()


@shared_task
def refresh_issuers_task() -> None:
    refresh_issuers()
