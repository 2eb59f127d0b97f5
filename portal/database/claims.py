"""Claiming due rows for a worker, so that no team and no host takes all places."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import connection

LOOKED_THROUGH = 1000
# How often it looks again without the teams and hosts that have their share.
LOOKS = 5


def claim_due_rows(
    statement: str, *, lock: int, batch: int, now: datetime, **parameters: Any
) -> list[uuid.UUID]:
    """Claim at most ``batch`` rows that are due, and return their IDs.

    ``statement`` claims up to ``%(batch)s`` of the first ``%(looked_through)s`` rows
    due at ``%(now)s`` whose team and host are not in ``%(full_teams)s`` and
    ``%(full_hosts)s``. It selects four columns: the claimed IDs; the teams and hosts
    with more due rows than they may have claimed; how many it looked through. If such
    teams and hosts fill everything that was looked through, others wait behind them,
    so it runs again without them.

    Workers with the same advisory ``lock`` take turns. Call it in a transaction.
    """
    ids: list[uuid.UUID] = []
    full_teams: list[uuid.UUID] = []
    full_hosts: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        for _ in range(LOOKS):
            values = parameters | {
                "now": now,
                "full_teams": full_teams,
                "full_hosts": full_hosts,
                "looked_through": LOOKED_THROUGH,
                "batch": batch - len(ids),
            }
            cursor.execute(statement, values)
            claimed, teams, hosts, number = cursor.fetchone()
            ids += claimed
            full_teams += teams
            full_hosts += hosts
            if len(ids) >= batch or number < LOOKED_THROUGH:
                break
    return ids
