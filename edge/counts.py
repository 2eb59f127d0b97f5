"""Counts per minute that all edge processes share, without blocking a thread.

The larger of this process's own count and the one in Redis, so that nothing is
forgotten when Redis fails or returns.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from edge.together import Together
from portal.http.redis_cache import PAUSE_SECONDS
from portal.limits.minute_counts import WINDOW_SECONDS, count_here

# Redis usually answers within a millisecond. Later than this, the process's own count
# has to do.
COUNTING_SECONDS = 0.5
MOST_QUESTIONS = 1000
Amounts = Mapping[str, int]
logger = logging.getLogger(__name__)


class MinuteCounts:
    """Adds to counts of the current minute."""

    def __init__(self) -> None:
        self._redis = Redis.from_url(
            settings.REDIS_URL,
            single_connection_client=True,
            socket_timeout=COUNTING_SECONDS,
            socket_connect_timeout=COUNTING_SECONDS,
            # Once, since Redis may have closed an idle connection.
            retry=Retry(NoBackoff(), 1),
        )
        self._together = Together(self._add, round_trips=1, most=MOST_QUESTIONS)
        self._paused_until = 0.0

    async def add(self, amounts: Amounts) -> list[int]:
        """Add the amounts to the subjects' counts, and return the counts in order.

        An amount of 0 only reads.
        """
        own = [count_here(subject, amount) for subject, amount in amounts.items()]
        if time.monotonic() < self._paused_until:
            return own
        try:
            async with asyncio.timeout(COUNTING_SECONDS):
                return list(map(max, own, await self._together.ask(amounts)))
        except TimeoutError:
            return own

    async def aclose(self) -> None:
        """Let what is being asked end; later, this process only counts for itself."""
        self._paused_until = math.inf
        await self._together.wait()
        await self._redis.aclose()

    async def _add(self, asked: Sequence[Amounts]) -> list[list[int]]:
        try:
            return await self._round_trip(asked)
        except (RedisError, OSError) as error:
            self._pause(error)
            return [[0] * len(amounts) for amounts in asked]

    async def _round_trip(self, asked: Sequence[Amounts]) -> list[list[int]]:
        key = f"berth:token-counts:{int(time.time()) // WINDOW_SECONDS}"
        # Many requests of one address only read the same count.
        items = [item for amounts in asked for item in amounts.items()]
        read = {name for name, amount in items if not amount}
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in read:
                pipe.hget(key, name)
            for name, amount in items:
                if amount:
                    pipe.hincrby(key, name, amount)
            pipe.expire(key, 2 * WINDOW_SECONDS)
            numbers = iter(await pipe.execute())
        counts = {name: int(next(numbers) or 0) for name in read}
        return [
            [int(next(numbers)) if amount else counts[name] for name, amount in item]
            for item in map(Mapping.items, asked)
        ]

    def _pause(self, error: Exception) -> None:
        pause = time.monotonic() + PAUSE_SECONDS
        self._paused_until = max(self._paused_until, pause)
        logger.warning(
            "Redis is unavailable or slow (%s); this process counts for itself.",
            type(error).__name__,
        )
