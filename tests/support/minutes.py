"""Tests of what is counted by the minute, at whatever second they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within_a_minute(act: Callable[[], T]) -> T:
    """Return what ``act`` did; if a minute ended in between, repeat it in the next."""
    while True:
        started = int(time.time()) // 60
        result = act()
        if int(time.time()) // 60 == started:
            return result
        # What it has done in this minute counts already.
        time.sleep(60 - time.time() % 60)
