"""Tests of what is counted by the minute, at whatever second they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within_a_minute(act: Callable[[], T]) -> T:
    """Return what ``act`` did; repeat it if a minute ended in between."""
    while True:
        started = int(time.time()) // 60
        result = act()
        if int(time.time()) // 60 == started:
            return result
