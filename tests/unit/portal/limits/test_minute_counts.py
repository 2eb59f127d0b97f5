from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches

from deploy.local.process import ManagedProcess
from deploy.local.valkey import start_valkey
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


def test_an_amount_is_counted_as_a_whole() -> None:
    def count_amounts() -> list[int]:
        subject = str(uuid.uuid4())
        return [count(subject), count(subject, 50), counted(subject)]

    assert within_a_minute(count_amounts) == [1, 51, 51]


def use_redis_at(settings: Any, location: str) -> None:
    settings.CACHES = settings.CACHES | {
        "default": settings.CACHES["default"] | {"LOCATION": location}
    }
    assert caches["default"]._servers == [location]  # type: ignore[attr-defined]  # of Redis


def test_this_process_counts_while_redis_is_unavailable(settings: Any) -> None:
    use_redis_at(settings, "redis://127.0.0.1:1/0")

    assert within_a_minute(count_five) == ([1, 2, 3, 4, 5, 5], 0)


@pytest.fixture
def valkey(tmp_path: Path, settings: Any) -> Iterator[tuple[ManagedProcess, str]]:
    process, url = start_valkey(tmp_path)
    use_redis_at(settings, url)
    with process:
        yield process, url


@contextmanager
def frozen(process: ManagedProcess) -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_counts_go_on_while_redis_is_frozen(
    valkey: tuple[ManagedProcess, str], caplog: pytest.LogCaptureFixture
) -> None:
    def count_before_and_after() -> tuple[list[int], float]:
        subject = str(uuid.uuid4())
        before = [count(subject) for _ in range(3)]
        started = time.monotonic()
        with frozen(valkey[0]), ThreadPoolExecutor(40) as threads:
            after = list(threads.map(count, [subject] * 200))
        return [*before, *sorted(after)], time.monotonic() - started

    numbers, seconds = within_a_minute(count_before_and_after)

    assert numbers == list(range(1, 204))
    assert seconds < 5
    assert 1 <= len(caplog.records) <= 2


def test_counts_of_other_processes_count_too(
    valkey: tuple[ManagedProcess, str],
) -> None:
    def count_twice() -> list[int]:
        subject = str(uuid.uuid4())
        numbers = [count(subject)]
        with redis.Redis.from_url(valkey[1]) as other:
            (key,) = other.keys(f"*{subject}*")
            other.incrby(key, 10)
        return [*numbers, counted(subject), count(subject)]

    assert within_a_minute(count_twice) == [1, 11, 12]


def test_all_threads_share_a_few_connections(
    valkey: tuple[ManagedProcess, str],
) -> None:
    with redis.Redis.from_url(valkey[1]) as other, ThreadPoolExecutor(40) as threads:
        # Those of tests before this one are there, too.
        before = len(other.client_list())
        list(threads.map(count, [f"subject-{number}" for number in range(400)]))
        made = len(other.client_list()) - before

    assert made <= 8
