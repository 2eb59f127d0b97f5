from __future__ import annotations

import uuid
from typing import Any

from django.core.cache import caches

from portal.http.minute_counts import count, counted, seconds_left
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


def test_this_process_counts_while_redis_is_away(settings: Any) -> None:
    location = "redis://127.0.0.1:1/0"
    settings.CACHES = settings.CACHES | {
        "default": settings.CACHES["default"] | {"LOCATION": location}
    }
    assert caches["default"]._servers == [location]  # type: ignore[attr-defined]  # of Redis

    assert within_a_minute(count_five) == ([1, 2, 3, 4, 5, 5], 0)
