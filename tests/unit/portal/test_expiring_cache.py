from __future__ import annotations

import asyncio

import pytest

from portal.expiring_cache import ExpiringCache


class Loader:
    """Counts its runs; the value is the number of the run."""

    def __init__(self, seconds: float = 60, pause: float = 0) -> None:
        self.runs = 0
        self.seconds = seconds
        self.pause = pause
        self.fails = False

    async def __call__(self) -> tuple[int, float]:
        self.runs += 1
        run = self.runs
        await asyncio.sleep(self.pause)
        if self.fails:
            raise RuntimeError("the load failed")
        return run, self.seconds


async def test_a_value_is_loaded_once() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    load = Loader()

    assert [await cache.get("a", load) for _ in range(3)] == [1, 1, 1]


async def test_concurrent_callers_share_one_load() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    load = Loader(pause=0.05)

    found = await asyncio.gather(*(cache.get("a", load) for _ in range(50)))

    assert found == [1] * 50


async def test_a_value_expires_counted_from_the_start_of_its_load() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    load = Loader(seconds=0.05, pause=0.1)

    await cache.get("a", load)

    assert await cache.get("a", load) == 2


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    load = Loader(pause=0.01)
    load.fails = True

    found = await asyncio.gather(
        *(cache.get("a", load) for _ in range(3)), return_exceptions=True
    )
    load.fails = False

    assert [type(each) for each in found] == [RuntimeError] * 3
    assert await cache.get("a", load) == 2


async def test_a_caller_that_leaves_does_not_cancel_the_others() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    load = Loader(pause=0.05)
    first = asyncio.ensure_future(cache.get("a", load))
    second = asyncio.ensure_future(cache.get("a", load))
    await asyncio.sleep(0)

    first.cancel()

    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_least_used_is_forgotten_first() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2)
    load = Loader()
    for key in ("a", "b", "a", "c"):
        await cache.get(key, load)

    assert load.runs == 3
    await cache.get("a", load)
    assert load.runs == 3
    await cache.get("b", load)
    assert load.runs == 4


async def test_what_is_forgotten_is_loaded_again() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2)
    load = Loader()
    await cache.get("a", load)

    cache.forget("a")

    assert await cache.get("a", load) == 2


async def test_what_is_forgotten_only_if_old_stays_while_it_is_young() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2)
    load = Loader()
    await cache.get("a", load)

    cache.forget("a", if_older_than=60)
    assert await cache.get("a", load) == 1

    await asyncio.sleep(0.01)
    cache.forget("a", if_older_than=0.005)
    assert await cache.get("a", load) == 2
