from __future__ import annotations

import uuid

from teams.models import Team


def lock_team(team_id: uuid.UUID) -> None:
    """Lock what a team has one of, such as its look, until the transaction ends."""
    Team.objects.select_for_update(no_key=True).get(pk=team_id)


def lock_members(team_id: uuid.UUID) -> None:
    """Lock the team's members and API tokens until the transaction ends."""
    # One lock per team, not per member: of two owners leaving at once, one must fail.
    lock_team(team_id)
