from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Keeps loaded values for a while, and loads each one once for all its callers.

    A value's life counts from the start of its load, so it is never older than its
    loader said. A failed load is not kept. Belongs to one event loop.
    """

    def __init__(self, max_entries: int, join_seconds: float = math.inf) -> None:
        """Keep at most ``max_entries``; join no load older than ``join_seconds``."""
        self._max_entries = max_entries
        self._join_seconds = join_seconds
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    async def get(self, key: K, load: Callable[[], Awaitable[tuple[V, float]]]) -> V:
        """Return the value of ``key``; ``load`` returns it with its life in seconds.

        Raises what ``load`` raises. A cancelled caller does not cancel the load, which
        others may wait for.
        """
        entry = self._entries.get(key)
        if entry is None or not entry.is_fresh(self._join_seconds):
            entry = _Entry(load)
            self._entries[key] = entry
            self._shrink()
        self._entries.move_to_end(key)
        if entry.value_ready:
            return entry.task.result()[0]
        return (await asyncio.shield(entry.task))[0]

    def forget(self, key: K, *, if_older_than: float = 0) -> None:
        """Load a value again next time, if its load is at least so many seconds old."""
        entry = self._entries.get(key)
        if entry is not None and entry.age >= if_older_than:
            del self._entries[key]

    def _shrink(self) -> None:
        while len(self._entries) > self._max_entries or self._oldest_expired():
            self._entries.popitem(last=False)

    def _oldest_expired(self) -> bool:
        return not next(iter(self._entries.values())).is_fresh(self._join_seconds)


class _Entry(Generic[V]):
    def __init__(self, load: Callable[[], Awaitable[tuple[V, float]]]) -> None:
        self._loop = asyncio.get_running_loop()
        self.task: asyncio.Future[tuple[V, float]] = asyncio.ensure_future(load())
        self.value_ready = False
        self._failed = False
        self._started = self._loop.time()
        self._deadline = 0.0
        self.task.add_done_callback(self._loaded)

    def _loaded(self, task: asyncio.Future[tuple[V, float]]) -> None:
        self._failed = task.cancelled() or task.exception() is not None
        if not self._failed:
            self.value_ready = True
            self._deadline = self._started + task.result()[1]

    @property
    def age(self) -> float:
        return self._loop.time() - self._started

    def is_fresh(self, join_seconds: float) -> bool:
        if self._failed:
            return False
        if self.value_ready:
            return self._loop.time() < self._deadline
        return self._loop.time() < self._started + join_seconds
