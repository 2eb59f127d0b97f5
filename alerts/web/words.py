"""Alerts and events as pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.urls import reverse

from alerts.events import DESCRIPTIONS, Event
from alerts.models import Alert
from teams.actors import Actor
from teams.permissions import Permission

MAX_EXCEPTIONS_LISTED = 3
TONES: dict[str, str] = {
    Event.REGISTRY_RECOVERED: "good",
    Event.REGISTRY_RATE_LIMITED: "warning",
    Event.LICENSE_EXPIRING: "warning",
    Event.LICENSE_EXPIRED: "warning",
    Event.LICENSE_REVOKED: "neutral",
    Event.PULL_CREDENTIAL_EXPIRING: "warning",
    Event.PULL_CREDENTIAL_UNUSED: "warning",
    Event.PULL_CREDENTIAL_NEW_NETWORK: "warning",
    Event.WEBHOOK_TEST: "info",
}
# By the subject's kind: the permission to see its page, the page's URL name, and the
# URL's parameter. These pages belong to rooms that this one must not import.
_PAGES = {
    "license": (Permission.LICENSE_READ, "licenses-detail", "license_id"),
    "pull_credential": (Permission.LICENSE_READ, "licenses-detail", "license_id"),
    "secret": (Permission.LICENSE_READ, "licenses-detail", "license_id"),
    "registry": (Permission.REGISTRY_READ, "registries-detail", "registry_id"),
    "webhook": (Permission.WEBHOOK_MANAGE, "alerts-webhook-detail", "webhook_id"),
}
_MODELS = {
    "license": "licenses.License",
    # The subject is the license that the credential is of.
    "pull_credential": "licenses.License",
    # Of a license ID and a pull credential; an API token has no page of its own.
    "secret": "licenses.License",
    "registry": "registries.ExternalRegistry",
    "webhook": "alerts.Webhook",
}


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as a row of the page; ``url`` is its subject's page, if any."""

    pk: uuid.UUID
    created_at: datetime
    label: str
    tone: str
    message: str
    subject: str
    url: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str


def alert_rows(
    alerts: Iterable[Alert], *, actor: Actor, team_slug: str
) -> list[AlertRow]:
    """Return the alerts as rows, linked to the subjects that still exist."""
    alerts = list(alerts)
    existing = _existing_subjects(alerts, actor)
    return [
        AlertRow(
            pk=alert.pk,
            created_at=alert.created_at,
            label=event_label(alert.event),
            tone=TONES.get(alert.event, "bad"),
            message=alert.message,
            subject=alert.subject_label,
            url=(
                _subject_url(alert.event, alert.subject_id, actor, team_slug)
                if alert.subject_id in existing
                else None
            ),
            acknowledged_at=alert.acknowledged_at,
            acknowledged_by=alert.acknowledged_by,
        )
        for alert in alerts
    ]


def _existing_subjects(alerts: Iterable[Alert], actor: Actor) -> set[uuid.UUID]:
    existing: set[uuid.UUID] = set()
    for kind, label in _MODELS.items():
        ids = {
            alert.subject_id for alert in alerts if alert.event.startswith(f"{kind}.")
        }
        if ids:
            # By name, because this room must not import the model.
            model: Any = apps.get_model(label)
            rows = model.objects.for_team(actor.team_id).filter(pk__in=ids)
            existing.update(rows.values_list("pk", flat=True))
    return existing


def event_label(event: str) -> str:
    """Return an event's description, or its name if Berth no longer sends it."""
    labels = {event.value: label for event, label in DESCRIPTIONS.items()}
    return labels.get(event, event)


def events_summary(events: Collection[str], choosable: Sequence[Event]) -> list[str]:
    """List the chosen events, or the exceptions if there are only a few."""
    exceptions = [event for event in choosable if event not in events]
    if not exceptions:
        return ["All events"]
    if len(exceptions) <= MAX_EXCEPTIONS_LISTED:
        return ["All events except:", *(DESCRIPTIONS[event] for event in exceptions)]
    return [DESCRIPTIONS[event] for event in choosable if event in events]


def _subject_url(
    event: str, subject_id: uuid.UUID, actor: Actor, team_slug: str
) -> str | None:
    page = _PAGES.get(event.partition(".")[0])
    if page is None:
        return None
    permission, url_name, parameter = page
    if not actor.may(permission):
        return None
    return reverse(url_name, kwargs={"team": team_slug, parameter: subject_id})
