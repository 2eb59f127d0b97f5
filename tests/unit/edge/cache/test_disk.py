"""A busy disk is waited for, and one that hangs is left alone."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from edge.cache import disk
from edge.cache.disk import DiskThreads


async def test_time_in_line_is_not_the_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = DiskThreads(1, name="busy")

    calls = [threads.call(lambda: time.sleep(0.2), seconds=0.6) for _ in range(6)]
    await asyncio.gather(*calls)

    assert not threads.rests
    monkeypatch.setattr(disk, "LINE_SECONDS", 0.1)
    calls = [threads.call(lambda: time.sleep(0.3)) for _ in range(2)]
    first, second = await asyncio.gather(*calls, return_exceptions=True)
    assert first is None
    assert isinstance(second, OSError)
    assert not threads.rests
    threads.close()


async def test_a_disk_that_hangs_delays_those_in_line_once() -> None:
    threads, goes_on = DiskThreads(1, name="hung"), threading.Event()
    began = time.monotonic()

    calls = [threads.call(goes_on.wait, seconds=0.3) for _ in range(20)]
    results = await asyncio.gather(*calls, return_exceptions=True)

    goes_on.set()
    assert all(isinstance(result, OSError) for result in results)
    assert time.monotonic() - began < 3
    assert threads.rests
    threads.close()
