"""Alerts in words, for pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.urls import reverse

from alerts.events import CHOOSABLE, DESCRIPTIONS, Event
from alerts.models import Alert
from teams.actors import Actor
from teams.permissions import Permission

FEW = 3
TONES: dict[str, str] = {
    Event.REGISTRY_RECOVERED: "good",
    Event.REGISTRY_RATE_LIMITED: "warning",
    Event.LICENSE_EXPIRING: "warning",
    Event.LICENSE_EXPIRED: "warning",
    Event.LICENSE_REVOKED: "neutral",
    Event.WEBHOOK_TEST: "info",
}
# Pages of the rooms above this one, by name: the subject's kind, who may see the page,
# the page, and what its address takes.
_PAGES = {
    "license": (Permission.LICENSE_READ, "licenses-detail", "license_id"),
    "registry": (Permission.REGISTRY_READ, "registries-detail", "registry_id"),
    "webhook": (Permission.WEBHOOK_MANAGE, "alerts-webhook-detail", "webhook_id"),
}
_MODELS = {
    "license": "licenses.License",
    "registry": "registries.ExternalRegistry",
    "webhook": "alerts.Webhook",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as a row of the page."""

    at: datetime
    words: str
    tone: str
    message: str
    subject: str
    address: str | None


def told(alerts: Iterable[Alert], *, actor: Actor, team_slug: str) -> list[Told]:
    """Return alerts in words, each with the page of its subject if that exists."""
    alerts = list(alerts)
    present = _present_subjects(alerts, actor)
    return [
        Told(
            at=alert.created_at,
            words=event_in_words(alert.event),
            tone=TONES.get(alert.event, "bad"),
            message=alert.message,
            subject=alert.subject_label,
            address=(
                _address(alert.event, alert.subject_id, actor, team_slug)
                if alert.subject_id in present
                else None
            ),
        )
        for alert in alerts
    ]


def _present_subjects(alerts: Iterable[Alert], actor: Actor) -> set[uuid.UUID]:
    found: set[uuid.UUID] = set()
    for kind, label in _MODELS.items():
        ids = {each.subject_id for each in alerts if each.event.startswith(f"{kind}.")}
        if ids:
            # Of a room above this one, so reached by its name.
            model: Any = apps.get_model(label)
            rows = model.objects.for_team(actor.team_id).filter(pk__in=ids)
            found.update(rows.values_list("pk", flat=True))
    return found


def event_in_words(event: str) -> str:
    """Say what an event is; one that Berth no longer has keeps its name."""
    known = {each.value: words for each, words in DESCRIPTIONS.items()}
    return known.get(event, event)


def events_in_words(events: list[str]) -> list[str]:
    """Say what somebody is told of, or what they are not if that is shorter."""
    left_out = [event for event in CHOOSABLE if event not in events]
    if not left_out:
        return ["Everything"]
    if len(left_out) <= FEW:
        return ["Everything but:", *(DESCRIPTIONS[event] for event in left_out)]
    return [DESCRIPTIONS[event] for event in CHOOSABLE if event in events]


def _address(
    event: str, subject_id: uuid.UUID, actor: Actor, team_slug: str
) -> str | None:
    page = _PAGES.get(event.partition(".")[0])
    if page is None or not actor.may(page[0]):
        return None
    return reverse(page[1], kwargs={"team": team_slug, page[2]: subject_id})
