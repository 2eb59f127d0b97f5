"""How long work waits for PostgreSQL, which may be frozen and never answer.

Requests wait a few seconds in all. Other work, such as tasks of the worker, waits a
minute for each statement. Management commands wait as long as it takes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

# In all, for one request.
REQUEST_SECONDS = 5
# For the readiness probes, whose callers do not wait long.
PROBE_SECONDS = 2
# For one statement of work without a budget.
STATEMENT_SECONDS = 60.0


@dataclass
class Budget:
    """The seconds that a piece of work may still wait for PostgreSQL."""

    left: float


_budget: ContextVar[Budget | None] = ContextVar("database_budget", default=None)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Let everything inside wait so many seconds for PostgreSQL in all.

    Inside other work with a budget, it takes its time from that.
    """
    outer = _budget.get()
    granted = min(seconds, outer.left) if outer else seconds
    inner = Budget(granted)
    token = _budget.set(inner)
    try:
        yield
    finally:
        _budget.reset(token)
        if outer and granted < math.inf:
            outer.left -= granted - inner.left


def each_waiting_at_most(seconds: float, items: Iterable[T]) -> Iterator[T]:
    """Yield items, and let each of them wait so many seconds for PostgreSQL.

    For responses that are streamed after the middleware has returned.
    """
    iterator = iter(items)
    while True:
        with waiting_at_most(seconds):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


@contextmanager
def waiting_as_long_as_it_takes() -> Iterator[None]:
    """For commands: a person watches them, and migrations may run for hours."""
    with waiting_at_most(math.inf):
        yield


def is_limited() -> bool:
    """Return whether this is work for a request, which waits a limited time in all."""
    budget = _budget.get()
    return budget is not None and budget.left < math.inf


def seconds_left() -> float:
    """Return how long the next wait may take; 0 or less if all time is spent."""
    budget = _budget.get()
    return STATEMENT_SECONDS if budget is None else budget.left


@contextmanager
def spending() -> Iterator[None]:
    """Take the time inside from the budget."""
    budget = _budget.get()
    if budget is None:
        yield
        return
    before, started = budget.left, time.monotonic()
    try:
        yield
    finally:
        # Waits inside, which have done the same, do not count twice.
        budget.left = before - (time.monotonic() - started)
