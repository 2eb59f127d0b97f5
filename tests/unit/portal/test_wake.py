from __future__ import annotations

import json
import time

import pytest
import redis
from django.conf import settings
from pytest_django import DjangoCaptureOnCommitCallbacks

from portal.celery import app
from portal.wake import Task, wake


@pytest.mark.parametrize("task", Task)
def test_tasks_are_registered_and_run_by_beat_too(task: Task) -> None:
    app.loader.import_default_modules()

    assert task in app.tasks
    assert task in {entry["task"] for entry in app.conf.beat_schedule.values()}


def test_beat_starts_registered_tasks() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(
        app.tasks
    )


def test_wake_queues_the_task_once_the_change_has_committed(
    db: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    broker = redis.from_url(settings.CELERY_BROKER_URL)

    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        wake(Task.CONFIRM_IMAGES)

    assert len(callbacks) == 1
    deadline = time.monotonic() + 10
    while Task.CONFIRM_IMAGES not in _queued(broker):
        assert time.monotonic() < deadline, "it was not sent"
        time.sleep(0.05)


def _queued(broker: redis.Redis) -> set[str]:
    messages = [json.loads(text) for text in broker.lrange("celery", 0, -1)]
    return {message["headers"]["task"] for message in messages}
