from __future__ import annotations

from typing import Any

from audit.models import AuditEvent
from teams.models import Team


def audited(team: Team) -> list[tuple[str, str]]:
    """Return the tag and subject of each audit event of a team, oldest first."""
    events: Any = AuditEvent.objects.filter(team=team).order_by("created_at", "id")
    return list(events.values_list("tag", "subject_label"))
