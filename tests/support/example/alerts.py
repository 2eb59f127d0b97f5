"""The example team's alerts and webhook."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from alerts.events import CHOOSABLE, Event
from alerts.models import Alert, Delivery, DeliveryState, Webhook
from alerts.services import create_webhook
from registries.models import ExternalRegistry
from teams.actors import Actor
from teams.models import Team

_ALERTS = (
    (26, Event.REGISTRY_REJECTED, "refused this username and password."),
    (25, Event.REGISTRY_RECOVERED, "works again."),
    (3, Event.REGISTRY_UNREACHABLE, "cannot be reached: its name does not resolve."),
)


def add_alerts(actor: Actor, team: Team, registry: ExternalRegistry) -> Webhook:
    """Give the team a webhook with a log; return it."""
    webhook, _ = create_webhook(
        actor=actor,
        team=team,
        name="Operations chat",
        url="https://hooks.kestrel.example/berth",
        events=[event.value for event in CHOOSABLE],
    )
    # Their hosts are invented: no check would find them as the example shows them.
    ExternalRegistry.objects.for_team(team.pk).update(
        next_check_at=timezone.now() + timedelta(days=1)
    )
    # What making the example raised is old news.
    Alert.objects.for_team(team.pk).update(dispatched_at=timezone.now())
    for days, event, words in _ALERTS:
        at = timezone.now() - timedelta(days=days)
        alert = Alert.objects.create(
            team=team,
            event=event,
            key=f"example:{days}",
            subject_id=registry.pk,
            subject_label=registry.slug,
            message=f"The registry {registry.endpoint} {words}",
            created_at=at,
            dispatched_at=at,
        )
        is_late = days < 10
        Delivery.objects.create(
            team=team,
            alert=alert,
            webhook=webhook,
            state=DeliveryState.FAILED if is_late else DeliveryState.DELIVERED,
            attempts=9 if is_late else 1,
            created_at=at,
            finished_at=at,
            http_status=503 if is_late else 204,
            detail=(
                "The receiver responded with status 503." if is_late else "Delivered."
            ),
        )
    return webhook
