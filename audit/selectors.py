from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db.models import Q, QuerySet

from audit.models import AuditEvent

BATCH_SIZE = 2000


def audit_events_for_team(team_id: uuid.UUID) -> QuerySet[AuditEvent]:
    """Return the team's audit events, newest first."""
    return AuditEvent.objects.filter(team_id=team_id).order_by("-created_at", "-id")


def in_batches(
    events: QuerySet[AuditEvent], size: int = BATCH_SIZE
) -> Iterator[list[AuditEvent]]:
    """Yield audit events, newest first, in batches that cost the same at any depth.

    Each batch is a separate query, so that a slow reader holds no transaction open.
    Events added while reading are newer than the first batch and are left out.
    """
    rest = events.order_by("-created_at", "-id")
    while batch := list(rest[:size]):
        yield batch
        last = batch[-1]
        # The others imply created_at__lte; the index needs it to find the place.
        rest = events.order_by("-created_at", "-id").filter(
            Q(created_at__lt=last.created_at)
            | Q(created_at=last.created_at, pk__lt=last.pk),
            created_at__lte=last.created_at,
        )


def existing_subjects(
    team_id: uuid.UUID, kind: str, ids: Iterable[uuid.UUID], attribute: str
) -> dict[uuid.UUID, Any]:
    """Return an attribute of the subjects of a kind that still exist, by ID."""
    rows = apps.get_model(kind)._base_manager.filter(team_id=team_id, pk__in=ids)
    return dict(rows.values_list("pk", attribute))
