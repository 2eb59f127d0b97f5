"""Raising an alert, and what a worker does with it."""

from __future__ import annotations

from django.utils import timezone

from alerts.dispatch import dispatch_alerts, send_due_mails, send_due_webhooks
from alerts.events import Event
from alerts.models import Delivery
from alerts.services import raise_alert
from teams.models import Team


def alert(team: Team, key: str = "1", event: Event = Event.LICENSE_REVOKED) -> None:
    raise_alert(
        team_id=team.pk,
        event=event,
        subject=team,
        key=key,
        message="It was revoked.",
        data={"application": "my-app"},
    )


def deliver() -> None:
    dispatch_alerts()
    send_due_webhooks()
    send_due_mails()


def make_due() -> None:
    Delivery.objects.update(due_at=timezone.now())
