from __future__ import annotations

import uuid

from teams.models import Team


def lock_members(team_id: uuid.UUID) -> None:
    """Lock the team's members and API tokens until the transaction ends."""
    # One lock per team, not per member: of two owners leaving at once, one must fail.
    Team.objects.select_for_update(no_key=True).get(pk=team_id)
