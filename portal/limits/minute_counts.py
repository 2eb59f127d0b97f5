"""Counts per minute: in Redis for all processes, and in this process for itself.

The larger of the two counts, so that nothing is forgotten when Redis fails or returns.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import cast

from django.core.cache import caches

from portal.http.redis_cache import ForgivingRedisCache

WINDOW_SECONDS = 60


class _OwnCounts:
    """What this process counted in the current minute. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def add(self, subject: str, amount: int) -> int:
        """Add to a count and return it; an amount of 0 only reads it."""
        with self._lock:
            if self._minute != _minute():
                self._minute = _minute()
                self._counts.clear()
            if amount:
                self._counts[subject] += amount
            return self._counts[subject]


_own_counts = _OwnCounts()


def count(subject: str, amount: int = 1) -> int:
    """Add to the count of ``subject``; return its count in this minute."""
    own = count_here(subject, amount)
    return max(own, _cache().add_up(_key(subject), amount, 2 * WINDOW_SECONDS))


def counted(subject: str) -> int:
    """Return the count of ``subject`` in this minute."""
    return max(count_here(subject, 0), int(_cache().get(_key(subject), 0)))


def count_here(subject: str, amount: int) -> int:
    """Add to this process's own count and return it, without waiting."""
    return _own_counts.add(subject, amount)


def seconds_left() -> int:
    """Return the seconds until the current minute's counts end, at least 1."""
    return WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS


def _cache() -> ForgivingRedisCache:
    return cast(ForgivingRedisCache, caches["default"])


def _key(subject: str) -> str:
    return f"{subject}:{_minute()}"


def _minute() -> int:
    return int(time.time()) // WINDOW_SECONDS
