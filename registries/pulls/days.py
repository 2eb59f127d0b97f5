"""Pulls by the day."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

_PULLS_BY_DAY = """
SELECT (hour AT TIME ZONE %(zone)s)::date AS day, sum(allowed), sum(refused)
FROM registries_pullhour
WHERE team_id = %(team)s AND hour >= %(since)s
GROUP BY day
"""


@dataclass(frozen=True, slots=True)
class PullDay:
    """The number of allowed and of refused pulls in one day."""

    day: date
    allowed: int
    refused: int

    @property
    def total(self) -> int:
        return self.allowed + self.refused


def pulls_per_day(team_id: uuid.UUID, days: int = 30) -> list[PullDay]:
    """Return the pulls of every one of the last days, today last.

    Days are in the current time zone. An hour belongs to the day in which it begins.
    """
    first = timezone.localdate() - timedelta(days=days - 1)
    zone = timezone.get_current_timezone()
    values: dict[str, Any] = {
        "team": team_id,
        "since": datetime.combine(first, time.min, tzinfo=zone),
        "zone": timezone.get_current_timezone_name(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PULLS_BY_DAY, values)
        counted = {
            day: (int(allowed), int(refused)) for day, allowed, refused in cursor
        }
    dates = [first + timedelta(days=number) for number in range(days)]
    return [PullDay(day, *counted.get(day, (0, 0))) for day in dates]
