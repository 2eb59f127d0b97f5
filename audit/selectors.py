from __future__ import annotations

import uuid

from django.db.models import QuerySet

from audit.models import AuditEvent


def audit_events_for_team(team_id: uuid.UUID) -> QuerySet[AuditEvent]:
    """Return the team's audit events, newest first."""
    return AuditEvent.objects.filter(team_id=team_id).order_by("-created_at", "-id")
