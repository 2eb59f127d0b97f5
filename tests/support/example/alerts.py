"""The example team's alerts and webhook."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from alerts.events import MAILABLE, Event
from alerts.models import Alert
from alerts.selectors import alerts_without_tests
from alerts.services import acknowledge_alerts, create_webhook
from registries.models import ExternalRegistry
from teams.actors import Actor
from teams.models import Team
from tests.support.rows.factories import AlertFactory, DeliveryFactory

_FAILED: dict[str, Any] = {
    "state": "failed",
    "attempts": 9,
    "http_status": 503,
    "detail": "The receiver answered 503.",
}
# Days ago, event, what the registry did, and how the delivery differs from a good one
_ALERTS: tuple[tuple[int, Event, str, dict[str, Any]], ...] = (
    (26, Event.REGISTRY_REJECTED, "refused this username and password.", {}),
    (25, Event.REGISTRY_RECOVERED, "works again.", {}),
    (
        3,
        Event.REGISTRY_UNREACHABLE,
        "cannot be reached: its name does not resolve.",
        _FAILED,
    ),
)


def add_alerts(actor: Actor, team: Team, registry: ExternalRegistry) -> dict[str, str]:
    """Add a webhook with a log; return the values that its addresses take."""
    webhook, _ = create_webhook(
        actor=actor,
        team=team,
        name="Operations chat",
        url="https://hooks.kestrel.example/berth",
        events=[event.value for event in MAILABLE],
    )
    # What making the example raised is old news.
    Alert.objects.for_team(team.pk).update(dispatched_at=timezone.now())
    for days, event, words, outcome in _ALERTS:
        at = timezone.now() - timedelta(days=days)
        alert = AlertFactory(
            team=team,
            event=event,
            subject_id=registry.pk,
            subject_label=registry.slug,
            message=f"The registry {registry.endpoint} {words}",
            created_at=at,
            dispatched_at=at,
        )
        DeliveryFactory(
            webhook=webhook, alert=alert, created_at=at, finished_at=at, **outcome
        )
    # Somebody has seen to what is over.
    old = alerts_without_tests(team.pk).filter(
        created_at__lt=timezone.now() - timedelta(days=20)
    )
    acknowledge_alerts(actor=actor, team=team, alert_ids=[alert.pk for alert in old])
    latest = webhook.deliveries.latest("created_at")
    return {"webhook_id": str(webhook.pk), "delivery_id": str(latest.pk)}
