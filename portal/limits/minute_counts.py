"""Counts per minute, in Redis; in this process alone while Redis is unavailable."""

from __future__ import annotations

import time
from typing import cast

from django.core.cache import caches

from portal.http.redis_cache import ForgivingRedisCache

WINDOW_SECONDS = 60


def count(subject: str) -> int:
    """Add one for ``subject``; return its count in this minute."""
    return _cache().add_one(_key(subject), 2 * WINDOW_SECONDS)


def counted(subject: str) -> int:
    """Return the count of ``subject`` in this minute."""
    return int(_cache().get(_key(subject), 0))


def seconds_left() -> int:
    """Return the seconds until the current minute's counts end, at least 1."""
    return WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS


def _cache() -> ForgivingRedisCache:
    return cast(ForgivingRedisCache, caches["default"])


def _key(subject: str) -> str:
    return f"{subject}:{int(time.time()) // WINDOW_SECONDS}"
