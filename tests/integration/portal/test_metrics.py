"""Numbers for Prometheus: who may read them, and that they are true."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from alerts.models import Alert
from registries.models import CredentialCheck, ExternalRegistry, PullLog
from teams.models import Membership, Team
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    AlertFactory,
    CacheUseFactory,
    CredentialCheckFactory,
    DeliveryFactory,
    ExternalRegistryFactory,
    WebhookFactory,
)

TOKEN = "metrics-token-8f1c22d09b"


@pytest.fixture
def token(settings: Any) -> None:
    settings.BERTH_METRICS_TOKEN = TOKEN


def ask(authorization: str | None = f"Bearer {TOKEN}") -> HttpResponse:
    headers = {} if authorization is None else {"Authorization": authorization}
    response: HttpResponse = Client().get("/metrics", headers=headers)  # type: ignore[assignment]
    return response


def numbers() -> dict[tuple[str, ...], float]:
    """Return the values by the name of the metric and those of its labels."""
    families = text_string_to_metric_families(ask().content.decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_without_a_token_in_the_settings_there_is_no_such_page(db: None) -> None:
    assert ask().status_code == 404
    assert ask("Bearer ").status_code == 404
    assert ask(None).status_code == 404


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}"),
        *(f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN} {TOKEN}"),
        "Bearer größe",
    ],
)
def test_metrics_need_the_token(
    db: None, token: None, authorization: str | None
) -> None:
    with CaptureQueriesContext(connection) as queries:
        response = ask(authorization)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.content == b""
    assert len(queries) == 0


def test_metrics_are_hidden_from_a_signed_in_owner(
    owner: Membership, token: None
) -> None:
    assert signed_in(owner).get("/metrics").status_code == 401


def test_nothing_there_is_zero(db: None, token: None) -> None:
    metrics = numbers()

    assert ("berth_registries", "rejected") in metrics
    assert ("berth_recent_alert_deliveries", "webhook", "failed") in metrics
    # Shares are of this process, which other tests use too; the key is there.
    assert {
        number
        for (name, *_), number in metrics.items()
        if not name.startswith(("berth_share_", "berth_signing_key_"))
    } == {0}
    assert ask().headers["Content-Type"].startswith("text/plain; version=")
    assert ask().headers["Cache-Control"] == "no-store"


def test_registries_and_checks_are_counted(
    db: None, token: None, team: Team, other_team: Team
) -> None:
    now = timezone.now()
    later = now + timedelta(minutes=9)
    for owner, health in ((team, ""), (team, "valid"), (other_team, "valid")):
        ExternalRegistryFactory(team=owner, health=health, next_check_at=later)
    late = ExternalRegistryFactory(
        team=team, health="rejected", next_check_at=now - timedelta(minutes=5)
    )
    for outcome in ("rejected", "rejected", "valid"):
        CredentialCheckFactory(registry=late, outcome=outcome)
    old = CredentialCheckFactory(registry=late, outcome="valid")
    CredentialCheck.objects.filter(pk=old.pk).update(
        created_at=now - timedelta(minutes=16)
    )

    metrics = numbers()

    assert metrics["berth_registries", "unknown"] == 1
    assert metrics["berth_registries", "valid"] == 2
    assert metrics["berth_registries", "rejected"] == 1
    assert metrics["berth_registries", "unreachable"] == 0
    assert metrics["berth_recent_credential_checks", "rejected"] == 2
    assert metrics["berth_recent_credential_checks", "valid"] == 1
    assert 300 <= metrics["berth_oldest_unchecked_registry_seconds",] < 400

    ExternalRegistry.objects.update(next_check_at=later)
    assert numbers()["berth_oldest_unchecked_registry_seconds",] == 0


def test_alerts_and_deliveries_are_counted(
    owner: Membership, token: None, team: Team
) -> None:
    now = timezone.now()
    AlertFactory(team=team, dispatched_at=None)
    Alert.objects.update(created_at=now - timedelta(minutes=2))
    recent = {"finished_at": now - timedelta(minutes=14)}
    old = {"finished_at": now - timedelta(minutes=16)}
    DeliveryFactory(webhook__team=team, state="delivered", **recent)
    DeliveryFactory(webhook__team=team, state="failed", **recent)
    DeliveryFactory(webhook__team=team, state="failed", **old)
    DeliveryFactory(
        webhook__team=team,
        state="pending",
        finished_at=None,
        due_at=now - timedelta(minutes=3),
    )
    by_mail = {"webhook": None, "user": owner.user, "team": team}
    alert = AlertFactory(team=team)
    DeliveryFactory(alert=alert, state="delivered", **by_mail, **recent)

    metrics = numbers()

    assert metrics["berth_recent_alert_deliveries", "webhook", "delivered"] == 1
    assert metrics["berth_recent_alert_deliveries", "webhook", "failed"] == 1
    assert metrics["berth_recent_alert_deliveries", "mail", "delivered"] == 1
    assert metrics["berth_recent_alert_deliveries", "mail", "failed"] == 0
    assert metrics["berth_alert_deliveries_waiting", "webhook"] == 1
    assert metrics["berth_alert_deliveries_waiting", "mail"] == 0
    assert metrics["berth_alerts_waiting",] == 1
    assert 180 <= metrics["berth_oldest_alert_waiting_seconds",] < 240


def test_what_waits_for_its_own_team_is_not_stalled(
    db: None, token: None, team: Team, other_team: Team
) -> None:
    now = timezone.now()
    webhook = WebhookFactory(team=team)
    pending = {"webhook": webhook, "state": "pending", "attempts": 0}
    DeliveryFactory(**pending, due_at=now - timedelta(hours=1))
    DeliveryFactory(**pending, due_at=now + timedelta(minutes=3), is_claimed=True)
    assert numbers()["berth_oldest_alert_waiting_seconds",] == 0

    waiting = {"webhook__team": other_team, "state": "pending", "attempts": 0}
    DeliveryFactory(**waiting, due_at=now - timedelta(minutes=3))

    assert 180 <= numbers()["berth_oldest_alert_waiting_seconds",] < 240


def test_use_of_the_cache_is_counted_by_registry(db: None, token: None) -> None:
    registry, other = ExternalRegistryFactory(), ExternalRegistryFactory()
    for day, hits in ((date(2000, 1, 1), 5), (date(2026, 3, 1), 2)):
        CacheUseFactory(
            registry=registry, day=day, hits=hits, misses=1, bytes=10, evictions=3
        )
    CacheUseFactory(registry=other, stale_pulls=4)
    PullLog.objects.create(
        malformed_lines=3, read_at=timezone.now() - timedelta(minutes=5)
    )
    PullLog.objects.create(malformed_lines=1)

    metrics = numbers()

    named = str(registry.pk)
    assert metrics["berth_cache_hits_total", named] == 7
    assert metrics["berth_cache_misses_total", named] == 2
    assert metrics["berth_cache_bytes_total", named] == 20
    assert metrics["berth_cache_evictions_total", named] == 6
    assert metrics["berth_cache_stale_pulls_total", named] == 0
    assert metrics["berth_cache_stale_pulls_total", str(other.pk)] == 4
    assert metrics["berth_pull_log_malformed_lines_total",] == 4
    assert 300 <= metrics["berth_pull_log_unread_seconds",] < 400


def test_no_team_is_named(db: None, token: None, team: Team) -> None:
    ExternalRegistryFactory(team=team, endpoint="quay.example", slug="our-quay")
    AlertFactory(team=team, dispatched_at=None)
    CacheUseFactory(registry__team=team, registry__slug="quay")

    text = ask().content.decode().lower()

    for name in ("acme", "quay", str(team.pk)):
        assert name not in text
