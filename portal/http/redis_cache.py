"""Redis as a cache that Berth can do without."""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def _forgiving(name: str) -> Any:
    def call(self: RedisCache, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(RedisCache, name)(self, *args, **kwargs)
        except (RedisError, OSError):
            _warn()
            return getattr(caches["local"], name)(*args, **kwargs)

    call.__name__ = name
    return call


def _warn() -> None:
    logger.warning("Redis is unavailable; this process uses its own cache.")


def _add_one_locally(key: str, timeout: int) -> int:
    local = caches["local"]
    local.add(key, 0, timeout)
    try:
        return local.incr(key)
    except ValueError:  # ended, or dropped by another thread that needed the room
        local.set(key, 1, timeout)
        return 1


class ForgivingRedisCache(RedisCache):
    """Falls back to this process's memory while Redis is unavailable.

    Counters in the cache, such as failed logins, are then per process.
    """

    def ping(self) -> None:
        """Query Redis itself; raises RedisError or OSError if it is unavailable."""
        self._cache.get_client().ping()

    def add_one(self, key: str, timeout: int) -> int:
        """Add one to a count and return it, in one round trip."""
        redis_key = self.make_and_validate_key(key)
        client = self._cache.get_client(redis_key, write=True)
        try:
            with client.pipeline(transaction=False) as pipe:
                pipe.incr(redis_key)
                pipe.expire(redis_key, timeout)
                number, _ = pipe.execute()
        except (RedisError, OSError):
            _warn()
            return _add_one_locally(key, timeout)
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
