"""Redis as a cache that nothing depends on."""

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
    logger.warning("Redis does not answer; this process keeps its own cache.")


class ForgivingRedisCache(RedisCache):
    """Falls back to this process's memory while Redis is unavailable.

    Counts, such as those of failed logins, are this process's own then.
    """

    def ping(self) -> None:
        """Pass if Redis itself answers; raises RedisError or OSError if not."""
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
            local = caches["local"]
            local.add(key, 0, timeout)
            return local.incr(key)
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
