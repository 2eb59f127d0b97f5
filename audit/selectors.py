from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import QuerySet

from audit.models import AuditEvent


def audit_events_for_team(team_id: uuid.UUID) -> QuerySet[AuditEvent]:
    """Return the team's audit events, newest first."""
    return AuditEvent.objects.filter(team_id=team_id).order_by("-created_at", "-id")


def existing_subjects(
    team_id: uuid.UUID, kind: str, ids: Iterable[uuid.UUID], attribute: str
) -> dict[uuid.UUID, Any]:
    """Return an attribute of the subjects of a kind that still exist, by ID."""
    rows = apps.get_model(kind)._base_manager.filter(team_id=team_id, pk__in=ids)
    return dict(rows.values_list("pk", attribute))
