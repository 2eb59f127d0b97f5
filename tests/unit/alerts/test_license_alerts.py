"""Alerts about licenses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert
from licenses.alerts import alert_expiring_licenses
from licenses.credential_alerts import (
    alert_expiring_credentials,
    alert_unused_credentials,
)
from licenses.models import License, PullCredential
from licenses.services import (
    archive_customer,
    change_license,
    reinstate_license,
    revoke_license,
    revoke_pull_credential,
    rotate_pull_credential,
)
from tests.support.rows.factories import CustomerFactory, pull_credential
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


def expiring_alerts() -> list[str]:
    alerts = Alert.objects.filter(event="pull_credential.expiring")
    return sorted(alert.data["credential"]["name"] for alert in alerts)


def test_a_pull_credential_that_expires_soon_raises_one_alert(db: None) -> None:
    vendor = create_vendor()
    for name, days in {"soon": 6.5, "later": 8, "over": -0.1}.items():
        expires_at = timezone.now() + timedelta(days=days)
        pull_credential(vendor.license(), name=name, expires_at=expires_at)

    alert_expiring_credentials()
    alert_expiring_credentials()

    assert expiring_alerts() == ["soon"]


def test_what_ends_as_somebody_chose_raises_no_alert(db: None) -> None:
    vendor = create_vendor()
    revoked, rotated, of_revoked = [
        pull_credential(vendor.license(), expires_at=timezone.now() + timedelta(days=6))
        for _ in range(3)
    ]
    revoke_pull_credential(actor=vendor.actor, credential=revoked[0])
    rotate_pull_credential(
        actor=vendor.actor,
        credential=rotated[0],
        old_ends_at=timezone.now() + timedelta(days=2),
    )
    revoke_license(actor=vendor.actor, license=of_revoked[0].license, reason="Not paid")

    alert_expiring_credentials()

    # The successor lasts as long as the old one, from now on.
    assert expiring_alerts() == [rotated[0].name]
    alert = Alert.objects.get(event="pull_credential.expiring")
    assert alert.data["credential"]["id"] != str(rotated[0].pk)


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def unused_alerts() -> list[str]:
    alerts = Alert.objects.filter(event="pull_credential.unused")
    return sorted(alert.data["credential"]["name"] for alert in alerts)


def test_a_pull_credential_that_nobody_uses_raises_one_alert(db: None) -> None:
    license = create_vendor().license()
    long_ago = days_ago(200)
    for name, created_at, used_at in (
        ("idle", long_ago, days_ago(90.1)),
        ("never used", days_ago(90.1), None),
        ("in use", long_ago, days_ago(89.9)),
        ("new", days_ago(89.9), None),
    ):
        pull_credential(license, name=name, created_at=created_at, last_used_at=used_at)

    assert alert_unused_credentials() == 2
    assert alert_unused_credentials() == 0

    assert unused_alerts() == ["idle", "never used"]
    idle, never = Alert.objects.order_by("message")
    assert f"It was last used on {days_ago(90.1):%Y-%m-%d}." in idle.message
    assert idle.data["last_used_at"] is not None
    assert "It was never used." in never.message
    assert never.data["last_used_at"] is None
    assert idle.subject_id == license.pk


def test_another_use_and_90_days_raise_the_alert_again(db: None) -> None:
    credential, _ = pull_credential(
        create_vendor().license(), name="idle", last_used_at=days_ago(300)
    )
    alert_unused_credentials()
    row = PullCredential.objects.filter(pk=credential.pk)
    row.update(unused_alerted_at=days_ago(200), last_used_at=days_ago(89))
    alert_unused_credentials()
    assert unused_alerts() == ["idle"]

    row.update(last_used_at=days_ago(91))
    alert_unused_credentials()
    alert_unused_credentials()

    assert unused_alerts() == ["idle", "idle"]
    # Alerts are deleted after 90 days. The team is not alerted a second time.
    Alert.objects.all().delete()
    assert alert_unused_credentials() == 0


def test_what_cannot_pull_is_not_called_unused(db: None) -> None:
    vendor = create_vendor()
    revoked, expired, archived = vendor.license(), vendor.license(), vendor.license()
    other = vendor.license()
    idle = {"last_used_at": days_ago(91)}
    for license in (revoked, expired, archived):
        pull_credential(license, **idle)
    pull_credential(other, expires_at=days_ago(1), **idle)
    ended, _ = pull_credential(other, **idle)
    rotated, _ = pull_credential(other, **idle)
    revoke_pull_credential(actor=vendor.actor, credential=ended)
    rotate_pull_credential(actor=vendor.actor, credential=rotated)
    revoke_license(actor=vendor.actor, license=revoked, reason="Not paid")
    License.objects.filter(pk=expired.pk).update(expires_at=days_ago(1))
    customer = CustomerFactory(team=vendor.team)
    License.objects.filter(pk=archived.pk).update(customer=customer)
    archive_customer(actor=vendor.actor, customer=customer)

    assert alert_unused_credentials() == 0
    assert unused_alerts() == []
    reinstate_license(actor=vendor.actor, license=revoked)
    assert alert_unused_credentials() == 1
