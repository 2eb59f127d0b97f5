"""How often one address may guess and one credential may ask, per minute.

Guesses count against the address that makes them, never against the credential they
are aimed at, so that nobody can lock a customer out by failing in their name.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

import redis.asyncio
from redis.exceptions import RedisError

WINDOW_SECONDS = 60
REDIS_TIMEOUT_SECONDS = 0.5
logger = logging.getLogger(__name__)


class RateLimiter:
    """Counts by the minute in Redis; in this process alone while Redis is away."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.from_url(
            redis_url,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        )
        self._local: Counter[str] = Counter()
        self._local_window = 0

    async def count(self, subject: str) -> int:
        """Add one for ``subject``; return how many there are in this minute."""
        key = self._key(subject)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.incr(key)
                pipe.expire(key, WINDOW_SECONDS)
                counted, _ = await pipe.execute()
        except (RedisError, OSError):
            return self._count_here(subject)
        return int(counted)

    async def counted(self, subject: str) -> int:
        """Return how many were counted for ``subject`` in this minute."""
        try:
            found = await self._redis.get(self._key(subject))
        except (RedisError, OSError):
            self._roll_window()
            return self._local[subject]
        return int(found or 0)

    def seconds_left(self) -> int:
        """Return when the present minute's counts end, at least 1."""
        return WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS

    async def close(self) -> None:
        await self._redis.aclose()

    def _key(self, subject: str) -> str:
        return f"berth:token:{int(time.time()) // WINDOW_SECONDS}:{subject}"

    def _count_here(self, subject: str) -> int:
        logger.warning("Redis does not answer; rate limits count in this process only.")
        self._roll_window()
        self._local[subject] += 1
        return self._local[subject]

    def _roll_window(self) -> None:
        window = int(time.time()) // WINDOW_SECONDS
        if window != self._local_window:
            self._local_window = window
            self._local.clear()
