"""Redis as a cache that Berth can do without."""

from __future__ import annotations

import functools
import logging
import time
from typing import Any, Self

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from redis import BlockingConnectionPool
from redis.connection import Connection
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# After a failure nobody asks Redis for this long: otherwise each request would wait for
# the time-out again, and a sign-in several times.
PAUSE_SECONDS = 2
WARNING_SECONDS = 10


class RedisPaused(RedisError):  # noqa: N818 -- states the fact
    """Redis failed a moment ago, so it is not asked."""


class SharedPool(BlockingConnectionPool):
    """A few connections for all threads of a process. Pauses after a failure."""

    @classmethod
    @functools.cache
    def from_url(cls, url: str, **kwargs: Any) -> Self:
        """Return the one pool of this process for these options."""
        return super().from_url(url, **kwargs)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]  # untyped
        self._paused_until = 0.0
        self._silent_until = 0.0

    def get_connection(
        self, command_name: Any = None, *_keys: Any, **_options: Any
    ) -> Connection:
        """Return a free connection; raises RedisError if none is free in time."""
        if time.monotonic() < self._paused_until:
            raise RedisPaused
        connection: Connection = super().get_connection()  # type: ignore[no-untyped-call]  # untyped
        return connection

    def report(self, error: Exception) -> None:
        """Begin a pause, and warn if the last warning was long ago."""
        now = time.monotonic()
        if isinstance(error, RedisPaused):
            return
        self._paused_until = now + PAUSE_SECONDS
        if now >= self._silent_until:
            self._silent_until = now + WARNING_SECONDS
            logger.warning(
                "Redis is unavailable or slow (%s); this process uses its own cache.",
                type(error).__name__,
            )


def _forgiving(name: str) -> Any:
    def call(self: ForgivingRedisCache, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(RedisCache, name)(self, *args, **kwargs)
        except (RedisError, OSError) as error:
            self.report(error)
            return getattr(caches["local"], name)(*args, **kwargs)

    call.__name__ = name
    return call


class ForgivingRedisCache(RedisCache):
    """Falls back to this process's memory while Redis is unavailable or slow."""

    def ping(self) -> None:
        """Query Redis itself; raises RedisError or OSError if it is unavailable."""
        self._cache.get_client().ping()

    def report(self, error: Exception) -> None:
        """Pause, so that the next calls do not wait for the same failure."""
        pool = self._cache.get_client(write=True).connection_pool
        if isinstance(pool, SharedPool):
            pool.report(error)

    def add_up(self, key: str, amount: int, timeout: int) -> int:
        """Add to a count in one round trip, and return it; 0 without Redis."""
        redis_key = self.make_and_validate_key(key)
        client = self._cache.get_client(redis_key, write=True)
        try:
            with client.pipeline(transaction=False) as pipe:
                pipe.incrby(redis_key, amount)
                pipe.expire(redis_key, timeout)
                number, _ = pipe.execute()
        except (RedisError, OSError) as error:
            self.report(error)
            return 0
        return int(number)

    add = _forgiving("add")
    get = _forgiving("get")
    set = _forgiving("set")
    touch = _forgiving("touch")
    delete = _forgiving("delete")
    incr = _forgiving("incr")
    has_key = _forgiving("has_key")
    get_many = _forgiving("get_many")
    set_many = _forgiving("set_many")
    delete_many = _forgiving("delete_many")
