"""Worker and beat as containers run them: asked to end, probed, without a disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from deploy.local.process import ManagedProcess
from tests.e2e.conftest import PROJECT
from tests.support.stacks.check_stack import LOGIN, CheckStack

CHECK = "registries.tasks.check_due_registries_task"
# A private copy of all mounts: nothing can be written but the directory of the first
# argument, and /dev/shm, which is in memory in containers too.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd / && exec "$@"'


def read_only(directory: Path) -> list[str]:
    unshare = shutil.which("unshare")
    assert unshare
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return [unshare, *user, "--mount", "sh", "-c", READ_ONLY, str(directory)]


@contextmanager
def running(stack: CheckStack, role: str, name: str) -> Iterator[ManagedProcess]:
    """Start the Procfile's command with a directory of its own, and nothing else."""
    directory = run_dir(stack, name)
    directory.mkdir()
    lines = (PROJECT / "Procfile").read_text().splitlines()
    (command,) = (line for line in lines if line.startswith(f"{role}: celery "))
    app = "tests.support.stacks.quick_celery:app"
    arguments = command.split()[2:]
    arguments[arguments.index("-A") + 1] = app
    with ManagedProcess(
        [*read_only(directory), sys.executable, "-m", "celery", *arguments],
        name=name,
        log=stack.directory / f"{name}.log",
        env=environment(stack, directory),
    ) as process:
        yield process


def run_dir(stack: CheckStack, name: str) -> Path:
    return stack.directory / f"run-{name}"


def environment(stack: CheckStack, directory: Path) -> dict[str, str]:
    return stack.environment | {
        "BERTH_RUN_DIR": str(directory),
        "BERTH_WORKER_PROCESSES": "2",
        "EMAIL_URL": "dummymail://",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def health(stack: CheckStack, role: str, name: str) -> subprocess.CompletedProcess[str]:
    directory = run_dir(stack, name)
    return subprocess.run(
        [
            *read_only(directory),
            *(sys.executable, str(PROJECT / "manage.py"), "health", role),
        ],
        env=environment(stack, directory),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def broker(stack: CheckStack) -> Iterator[redis.Redis]:
    with redis.from_url(stack.environment["REDIS_URL"]) as broker:
        broker.delete("celery")
        yield broker


def sent(broker: redis.Redis) -> int:
    """Return how many messages of the task that is due each second wait."""
    messages = broker.lrange("celery", 0, -1)
    return sum(json.loads(text)["headers"]["task"] == CHECK for text in messages)


def has_ended(process: ManagedProcess) -> bool:
    return process.exit_code is not None


def test_two_beats_send_as_one_and_either_goes_on_alone(
    stack: CheckStack, broker: redis.Redis
) -> None:
    with (
        running(stack, "beat", "one") as one,
        running(stack, "beat", "other") as other,
    ):
        for name in ("one", "other"):
            alive = run_dir(stack, name) / "berth-beat.alive"
            stack.wait_for(f"beat {name} works", alive.exists)
        broker.delete("celery")
        started = time.monotonic()
        stack.wait_for("six messages", lambda: sent(broker) >= 6)
        # One a second, and a part of one at each end.
        assert sent(broker) <= time.monotonic() - started + 1

        os.kill(one.pid, signal.SIGKILL)
        stack.wait_for("it has ended", lambda: has_ended(one))
        broker.delete("celery")
        stack.wait_for("the other goes on", lambda: sent(broker) >= 3)
        result = health(stack, "beat", "other")
        assert (result.returncode, result.stderr) == (0, "")

        os.kill(other.pid, signal.SIGTERM)
        stack.wait_for("it has ended", lambda: has_ended(other))
    assert other.exit_code == 0


def test_a_worker_finishes_its_check_and_takes_no_more_after_sigterm(
    stack: CheckStack, broker: redis.Redis
) -> None:
    stack.seed("team", slug="stopping")
    stack.fake.delay_seconds = 3
    with running(stack, "worker", "stopping") as worker:
        alive = run_dir(stack, "stopping") / "berth-worker.alive"
        stack.wait_for("it is ready", alive.exists)
        result = health(stack, "worker", "stopping")
        assert (result.returncode, result.stderr) == (0, "")
        stack.seed(
            "registry",
            team="stopping",
            endpoint=stack.fake.endpoint,
            slug="stopping",
            credential=LOGIN,
        )
        stack.sql(
            "UPDATE registries_externalregistry SET next_check_at = now()"
            " WHERE slug = 'stopping'"
        )
        with running(stack, "beat", "sender") as beat:
            stack.wait_for("a check runs", lambda: stack.fake.asked > 0)
            os.kill(worker.pid, signal.SIGTERM)
            stack.wait_for("it has ended", lambda: has_ended(worker))
            broker.delete("celery")
            stack.wait_for("more is sent", lambda: sent(broker) >= 2)
        assert has_ended(beat)

    assert worker.exit_code == 0
    # Begun before the signal, it was written down after it, and nothing is claimed.
    checks = stack.sql(
        "SELECT outcome FROM registries_credentialcheck checks"
        " JOIN registries_externalregistry registries"
        " ON registries.id = checks.registry_id WHERE slug = 'stopping'"
    )
    assert checks == [("valid",)]


def test_a_worker_that_hangs_is_unhealthy(
    stack: CheckStack, broker: redis.Redis
) -> None:
    with running(stack, "worker", "hanging") as worker:
        alive = run_dir(stack, "hanging") / "berth-worker.alive"
        stack.wait_for("it is ready", alive.exists)
        os.kill(worker.pid, signal.SIGSTOP)
        # The first one is already on its way to it.
        broker.lpush("celery", "{}", "{}")
        then = time.time() - 3600
        os.utime(alive, (then, then))

        result = health(stack, "worker", "hanging")

        os.kill(worker.pid, signal.SIGKILL)
    assert result.returncode == 1
    assert "The worker has done nothing for 36" in result.stderr
    assert "Restart it." in result.stderr
