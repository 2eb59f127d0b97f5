"""Times as people read them: the day, and how far away it is."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

_DAY = timedelta(days=1)
# How long each unit is, its sign and its word. A month and a year are close enough.
_UNITS = (
    (365 * _DAY, "y", "year"),
    (30 * _DAY, "mo", "month"),
    (7 * _DAY, "w", "week"),
    (_DAY, "d", "day"),
    (timedelta(hours=1), "h", "hour"),
    (timedelta(minutes=1), "min", "minute"),
)
# 13 days stay days, and 8 weeks weeks: one of the next unit would tell too little.
_FROM = {"mo": 2, "w": 2}


def exact(at: datetime) -> str:
    """Return the minute and its zone, such as ``30 Nov 2027, 14:05 CET``."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y, %H:%M %Z}"


def short(at: datetime, *, now: datetime | None = None) -> str:
    """Return ``3 h ago`` within a day of now, else such as ``30 Nov 2027 · in 1 y``.

    The year is left out if it is this one.
    """
    now = now or timezone.now()
    distance = _distance(at, now, is_short=True)
    if abs(at - now) < _DAY:
        return distance
    local = timezone.localtime(at)
    is_this_year = local.year == timezone.localtime(now).year
    day = f"{local.day} {local:%b}" if is_this_year else f"{local.day} {local:%b %Y}"
    return f"{day} · {distance}"


def in_words(at: datetime, *, now: datetime | None = None) -> str:
    """Return ``3 hours ago``, ``now`` or ``in 1 week``, for a sentence."""
    return _distance(at, now or timezone.now(), is_short=False)


def _distance(at: datetime, now: datetime, *, is_short: bool) -> str:
    gap = abs(at - now)
    for length, sign, word in _UNITS:
        number = gap // length
        if number >= _FROM.get(sign, 1):
            many = "" if number == 1 else "s"
            text = f"{number} {sign}" if is_short else f"{number} {word}{many}"
            return f"in {text}" if at > now else f"{text} ago"
    return "now"
