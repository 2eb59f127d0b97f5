from __future__ import annotations

import uuid
from typing import Any, cast

import pytest
from django.core.cache import caches

from portal.http.redis_cache import ForgivingRedisCache
from portal.limits.minute_counts import count, counted, seconds_left
from tests.support.minutes import within_a_minute


def count_five() -> tuple[list[int], int]:
    """Return what is counted of a new subject, and what of another one."""
    subject, other = str(uuid.uuid4()), str(uuid.uuid4())
    numbers = [count(subject) for _ in range(5)]
    return [*numbers, counted(subject)], counted(other)


def test_each_subject_is_counted_by_itself() -> None:
    assert within_a_minute(count_five) == ([1, 2, 3, 4, 5, 5], 0)


def test_a_minute_has_an_end() -> None:
    assert 1 <= seconds_left() <= 60


@pytest.fixture
def no_redis(settings: Any) -> None:
    location = "redis://127.0.0.1:1/0"
    settings.CACHES = settings.CACHES | {
        "default": settings.CACHES["default"] | {"LOCATION": location}
    }
    assert caches["default"]._servers == [location]  # type: ignore[attr-defined]  # of Redis


@pytest.mark.usefixtures("no_redis")
def test_this_process_counts_while_redis_is_unavailable() -> None:
    assert within_a_minute(count_five) == ([1, 2, 3, 4, 5, 5], 0)


@pytest.mark.usefixtures("no_redis")
def test_a_count_that_this_process_lost_begins_again() -> None:
    """Its cache drops keys that end, or when it is full, at any moment."""
    cache = cast(ForgivingRedisCache, caches["default"])

    assert cache.add_one(str(uuid.uuid4()), timeout=0) == 1
