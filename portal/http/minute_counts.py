"""Counts by the minute, in Redis; in this process alone while Redis is away."""

from __future__ import annotations

import time

from django.core.cache import cache

WINDOW_SECONDS = 60


def count(subject: str) -> int:
    """Add one for ``subject``; return how many there are in this minute."""
    key = _key(subject)
    if cache.add(key, 1, timeout=2 * WINDOW_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:  # it ended between the two
        return 1


def counted(subject: str) -> int:
    """Return how many were counted for ``subject`` in this minute."""
    found: int = cache.get(_key(subject), 0)
    return found


def seconds_left() -> int:
    """Return when the present minute's counts end, at least 1."""
    return WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS


def _key(subject: str) -> str:
    return f"{subject}:{int(time.time()) // WINDOW_SECONDS}"
