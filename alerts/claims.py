"""Claims what is due for a worker, so that each team gets its turn.

A claim moves ``due_at`` past the longest time that sending can take. The claim of a
killed worker expires then.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from alerts.models import Delivery, DeliveryQuerySet
from portal.database.claims import claim_due_rows
from teams.models import TeamOwned

CLAIM = timedelta(minutes=3)
CLAIM_LOCK = 0x62616C657274  # any number that nothing else uses

# Skips teams and hosts that already have the allowed number of deliveries in progress,
# and claims at most that number of the others.
_CLAIM = """
WITH webhooks AS (
    SELECT id, lower(coalesce(substring(url from '://([^/?#]+)'), '')) AS host
    FROM alerts_webhook
), busy AS (
    SELECT team_id, host
    FROM alerts_delivery JOIN webhooks ON webhooks.id = webhook_id
    WHERE is_claimed AND state = 'pending' AND due_at > %(now)s
), busy_teams AS (
    SELECT team_id, count(*) AS number FROM busy GROUP BY team_id
), busy_hosts AS (
    SELECT host, count(*) AS number FROM busy GROUP BY host
), due AS (
    SELECT alerts_delivery.id, team_id, host, due_at
    FROM alerts_delivery JOIN webhooks ON webhooks.id = webhook_id
    WHERE state = 'pending' AND due_at <= %(now)s
      AND team_id NOT IN (
          SELECT team_id FROM busy_teams WHERE number >= %(per_team)s
      )
      AND host NOT IN (SELECT host FROM busy_hosts WHERE number >= %(per_host)s)
      AND team_id <> ALL (%(full_teams)s) AND host <> ALL (%(full_hosts)s)
    ORDER BY due_at
    LIMIT %(looked_through)s
), of_team AS (
    SELECT id, team_id, host, due_at, row_number() OVER (
        PARTITION BY team_id ORDER BY due_at
    ) + coalesce(busy_teams.number, 0) AS place
    FROM due LEFT JOIN busy_teams USING (team_id)
), of_host AS (
    SELECT id, host, due_at, row_number() OVER (
        PARTITION BY host ORDER BY due_at
    ) + coalesce(busy_hosts.number, 0) AS place
    FROM of_team LEFT JOIN busy_hosts USING (host)
    WHERE place <= %(per_team)s
), chosen AS (
    SELECT id FROM of_host WHERE place <= %(per_host)s
    ORDER BY due_at LIMIT %(batch)s
), free AS (
    SELECT id FROM alerts_delivery
    WHERE state = 'pending' AND id IN (SELECT id FROM chosen)
    FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE alerts_delivery
    SET due_at = %(until)s, is_claimed = true
    WHERE id IN (SELECT id FROM free)
    RETURNING id
)
SELECT
    ARRAY(SELECT id FROM claimed),
    ARRAY(SELECT DISTINCT team_id FROM of_team WHERE place > %(per_team)s),
    ARRAY(SELECT DISTINCT host FROM of_host WHERE place > %(per_host)s),
    (SELECT count(*) FROM due)
"""
RowT = TypeVar("RowT", bound=TeamOwned)


class Turns:
    """Gives each team a turn before any has another one."""

    def __init__(self) -> None:
        self._served: set[uuid.UUID] = set()

    def take(self, rows: QuerySet[RowT], number: int) -> list[RowT]:
        """Lock up to ``number`` rows of teams whose turn it is, in their order."""
        batch = list(_unlocked(rows.exclude(team_id__in=self._served), number))
        if not batch and self._served:
            self._served.clear()
            batch = list(_unlocked(rows, number))
        self._served.update(row.team_id for row in batch)
        return batch


def _unlocked(rows: QuerySet[RowT], number: int) -> QuerySet[RowT]:
    return rows.select_for_update(skip_locked=True)[:number]


@transaction.atomic
def claim_webhooks(batch: int) -> list[Delivery]:
    """Claim due deliveries to webhooks, the longest overdue first.

    Workers take turns in claiming, so that only a few deliveries of one team and to one
    host are in progress at a time, however many workers there are.
    """
    now = timezone.now()
    ids = claim_due_rows(
        _CLAIM,
        lock=CLAIM_LOCK,
        batch=batch,
        now=now,
        until=now + CLAIM,
        per_team=settings.BERTH_WEBHOOKS_PER_TEAM,
        per_host=settings.BERTH_WEBHOOKS_PER_HOST,
    )
    return list(_to_send(ids))


@transaction.atomic
def claim_mails(turns: Turns, batch: int) -> list[Delivery]:
    """Claim due mails of the teams whose turn it is, the longest overdue first."""
    due = Delivery.objects.due().filter(user__isnull=False).order_by("due_at")
    ids = [delivery.pk for delivery in turns.take(due, batch)]
    Delivery.objects.filter(pk__in=ids).update(
        due_at=timezone.now() + CLAIM, is_claimed=True
    )
    return list(_to_send(ids))


def _to_send(ids: list[uuid.UUID]) -> DeliveryQuerySet:
    return Delivery.objects.filter(pk__in=ids).select_related(
        "alert__team", "webhook", "user"
    )
