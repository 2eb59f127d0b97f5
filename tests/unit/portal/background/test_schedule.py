"""Beats that share a broker send each task once."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import crontab, schedule
from django.conf import settings

from portal.background.schedule import SharedScheduler

# Each has a queue of its own, so that no worker and no other test sees the messages.
DAILY = {"schedule": crontab(minute="11", hour="3")}
OFTEN = {"schedule": schedule(timedelta(seconds=0.3))}
TWO_DAYS = timedelta(days=2)


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    with redis.from_url(settings.REDIS_URL) as broker:
        yield broker


@pytest.fixture
def task(broker: redis.Redis) -> Iterator[str]:
    """A task's name, which is the name of its queue too."""
    name = f"task-{uuid.uuid4().hex}"
    yield name
    broker.delete(name, f"berth:beat:{name}")


def beat(task: str, entry: dict[str, Any]) -> SharedScheduler:
    app = Celery("tests", broker=settings.REDIS_URL, set_as_current=False)
    app.conf.beat_schedule = {task: {"task": task, "options": {"queue": task}} | entry}
    app.conf.result_expires = None
    return SharedScheduler(app)


def long_idle(scheduler: SharedScheduler, task: str) -> SharedScheduler:
    """Let it be two days since the scheduler has seen the task run."""
    entry: Any = scheduler.schedule[task]
    entry.last_run_at = scheduler.app.now() - TWO_DAYS
    return scheduler


def sent(broker: redis.Redis, task: str) -> list[str]:
    messages = broker.lrange(task, 0, -1)
    return [json.loads(message)["headers"]["task"] for message in messages]


def last_run(scheduler: SharedScheduler, task: str) -> datetime:
    last = scheduler.schedule[task].last_run_at
    assert last is not None
    return last


def test_a_daily_task_is_sent_by_the_first_of_two_beats(
    broker: redis.Redis, task: str
) -> None:
    first, second = (long_idle(beat(task, DAILY), task) for _ in range(2))

    assert first.tick() == 0
    assert second.tick() == 0
    assert second.tick() > 0

    assert sent(broker, task) == [task]
    assert last_run(second, task) == last_run(first, task)


def test_a_beat_that_starts_goes_on_from_the_last_run(
    broker: redis.Redis, task: str
) -> None:
    long_idle(beat(task, DAILY), task).tick()

    later = beat(task, DAILY)

    assert later.tick() > 0
    assert sent(broker, task) == [task]


def test_a_run_that_was_missed_while_no_beat_ran_is_caught_up(
    broker: redis.Redis, task: str
) -> None:
    late = datetime.now().astimezone() - TWO_DAYS
    broker.set(f"berth:beat:{task}", late.isoformat())

    beat(task, DAILY).tick()

    assert sent(broker, task) == [task]


def test_two_beats_send_no_more_often_than_one(broker: redis.Redis, task: str) -> None:
    beats = [beat(task, OFTEN), beat(task, OFTEN)]
    started = time.monotonic()
    while len(sent(broker, task)) < 5:
        assert time.monotonic() - started < 20, "too few were sent"
        for each in beats:
            each.tick()

    # The first one is due after an interval, and beat wakes up 10 ms early.
    assert (time.monotonic() - started) > 5 * (0.3 - 0.02)


def test_a_beat_whose_broker_has_forgotten_does_not_repeat(
    broker: redis.Redis, task: str
) -> None:
    only = long_idle(beat(task, DAILY), task)
    only.tick()
    broker.delete(f"berth:beat:{task}")

    assert only.tick() > 0
    assert sent(broker, task) == [task]


def test_without_the_broker_a_beat_sends_nothing_and_goes_on(
    broker: redis.Redis, task: str
) -> None:
    scheduler = long_idle(beat(task, DAILY), task)
    away = redis.from_url("redis://127.0.0.1:1", decode_responses=True)
    scheduler._redis = away

    assert scheduler.tick() == 0
    assert scheduler.tick() > 0
    assert sent(broker, task) == []
