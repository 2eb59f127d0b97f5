"""Alerts about licenses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert
from licenses.alerts import alert_expiring_licenses
from licenses.services import change_license, revoke_license
from tests.support.rows.vendor import create_vendor


def test_a_revoked_license_raises_an_alert(
    django_capture_on_commit_callbacks: Any, db: None
) -> None:
    vendor = create_vendor()
    license = vendor.license()

    revoke_license(actor=vendor.actor, license=license, reason="Not paid")
    revoke_license(actor=vendor.actor, license=license, reason="Again")

    (alert,) = Alert.objects.all()
    assert alert.event == "license.revoked"
    assert "Not paid" in alert.message
    assert license.license_id.reveal() not in json.dumps(alert.data) + alert.message


@pytest.mark.parametrize(
    ("days", "events"),
    [
        (10, []),
        (6.5, ["license.expiring"]),
        (3, []),
        (0.9, ["license.expiring"]),
        (-0.1, ["license.expired"]),
        (-3, []),
    ],
)
def test_expiring_licenses_raise_one_alert(
    db: None, days: float, events: list[str]
) -> None:
    vendor = create_vendor()
    vendor.license(expires_at=timezone.now() + timedelta(days=days))

    alert_expiring_licenses()
    alert_expiring_licenses()

    assert [alert.event for alert in Alert.objects.all()] == events


def test_a_changed_expiry_raises_an_alert_again(db: None) -> None:
    vendor = create_vendor()
    license = vendor.license(expires_at=timezone.now() + timedelta(days=6))
    alert_expiring_licenses()

    change_license(
        actor=vendor.actor,
        license=license,
        changes={"expires_at": timezone.now() + timedelta(days=6.5)},
    )
    alert_expiring_licenses()

    assert Alert.objects.count() == 2
