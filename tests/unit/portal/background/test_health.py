"""``manage.py health``: what a probe is told of a worker and of beat."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import current_app
from django.core.management import CommandError, call_command

from portal.background.heartbeat import Role, note

LONG_AGO = 3600
BEAT_SECONDS = 60
WORKER_SECONDS = 360


@pytest.fixture(autouse=True)
def run_dir(settings: Any, tmp_path: Path) -> Path:
    settings.BERTH_RUN_DIR = str(tmp_path)
    return tmp_path


@pytest.fixture
def queue(settings: Any) -> Iterator[redis.Redis]:
    """A broker in which nothing waits, and no other test puts anything."""
    settings.REDIS_URL = f"{settings.REDIS_URL.rpartition('/')[0]}/7"
    with redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()
        yield broker
        broker.flushdb()


def health(role: str) -> str:
    output = StringIO()
    call_command("health", role, stdout=output)
    return output.getvalue()


def worked(role: Role, seconds_ago: float, directory: Path) -> None:
    note(role)
    (file,) = directory.glob(f"*{role}*")
    then = time.time() - seconds_ago
    os.utime(file, (then, then))


def wait(queue: redis.Redis) -> None:
    queue.lpush(current_app.conf.task_default_queue, "{}")


@pytest.mark.parametrize("role", Role)
def test_who_worked_a_moment_ago_is_healthy(
    role: Role, queue: redis.Redis, run_dir: Path
) -> None:
    wait(queue)
    worked(role, 10, run_dir)

    assert health(role) == f"ok: the {role} worked 10 seconds ago\n"


@pytest.mark.parametrize(
    ("role", "seconds"), [(Role.WORKER, WORKER_SECONDS), (Role.BEAT, BEAT_SECONDS)]
)
def test_who_has_not_worked_for_too_long_is_not(
    role: Role, seconds: int, queue: redis.Redis, run_dir: Path
) -> None:
    wait(queue)
    worked(role, seconds - 5, run_dir)
    assert health(role).startswith("ok")

    worked(role, seconds + 5, run_dir)

    with pytest.raises(CommandError, match=f"{role} has done nothing for .* Restart"):
        health(role)


@pytest.mark.parametrize("role", Role)
def test_who_has_never_worked_is_not(role: Role, queue: redis.Redis) -> None:
    wait(queue)

    with pytest.raises(CommandError, match=f"The {role} has done nothing yet"):
        health(role)


def test_one_is_not_taken_for_the_other(queue: redis.Redis, run_dir: Path) -> None:
    wait(queue)
    worked(Role.WORKER, 0, run_dir)

    with pytest.raises(CommandError, match="beat has done nothing yet"):
        health(Role.BEAT)


def test_a_worker_for_which_nothing_waits_is_healthy(
    queue: redis.Redis, run_dir: Path
) -> None:
    worked(Role.WORKER, LONG_AGO, run_dir)

    assert "nothing waits for it" in health(Role.WORKER)


@pytest.mark.parametrize("role", Role)
def test_no_restart_helps_against_a_broker_that_is_away(
    role: Role, settings: Any, run_dir: Path
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    worked(role, LONG_AGO, run_dir)

    assert "the broker is unavailable" in health(role)


def test_without_a_directory_nothing_is_written_and_nothing_known(
    settings: Any, run_dir: Path
) -> None:
    settings.BERTH_RUN_DIR = ""
    note(Role.WORKER)

    assert list(run_dir.iterdir()) == []
    with pytest.raises(CommandError, match="Set BERTH_RUN_DIR"):
        health(Role.WORKER)


def test_a_directory_that_cannot_be_written_is_logged_and_stops_no_task(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BERTH_RUN_DIR = "/proc/none"

    note(Role.WORKER)

    assert "/proc/none/berth-worker.alive cannot be written" in caplog.text


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'nginx'"):
        health("nginx")
