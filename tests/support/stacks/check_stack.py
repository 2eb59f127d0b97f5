"""Workers with a PostgreSQL, a Valkey, a registry and a receiver of their own.

A test kills and restarts them, and then looks at the checks.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.core.cache import cache

from alerts.tasks import MAILING
from deploy.local.postgres import start_postgres
from deploy.local.process import ManagedProcess
from deploy.local.valkey import start_valkey
from tests.support.servers.fake_registry import FakeRegistry, running_registry
from tests.support.servers.receiver import Receiver, running_receiver
from tests.support.stacks.seeder import PROJECT, Seeder

LOGIN = ("sample", "upstream-password-9d2c")
WRONG = ("sample", "wrong-password-41aa")
# On two busy cores a worker takes long to start.
PATIENCE = 60


@dataclass
class CheckStack:
    """What the workers of a test need, and ways to see what they did."""

    directory: Path
    database_url: str
    environment: dict[str, str]
    fake: FakeRegistry
    receiver: Receiver
    postgres: ManagedProcess
    valkey: ManagedProcess
    seed: Seeder = field(init=False)
    _workers: list[ManagedProcess] = field(default_factory=list)

    def start_worker(self, **settings: str) -> ManagedProcess:
        """Start a worker with a beat; ``settings`` are changed for it alone."""
        name = f"worker{len(self._workers)}"
        worker = ManagedProcess(
            [
                *(sys.executable, "-m", "celery"),
                *("-A", "tests.support.stacks.quick_celery:app"),
                *("worker", "--beat", "--concurrency", "2"),
                *("--hostname", f"{name}@%h"),
            ],
            name=name,
            log=self.directory / f"{name}.log",
            env=self.environment | settings,
            cwd=PROJECT,
        )
        self._workers.append(worker)
        return worker

    def stop(self) -> None:
        self.stop_workers()
        self.valkey.stop()
        self.postgres.stop()

    def stop_workers(self) -> None:
        for worker in self._workers:
            kill(worker)
        self._workers.clear()

    def restart_postgres(self) -> None:
        """Break all connections, and start again on the same port."""
        port = int(self.database_url.rpartition(":")[2].partition("/")[0])
        self.postgres.stop()
        self.postgres, _ = start_postgres(
            self.directory / "postgres", port, durable=False
        )

    def restart_valkey(self, while_down: Callable[[], object]) -> None:
        """Lose all that is queued, and start again, empty, on the same port."""
        port = int(self.environment["REDIS_URL"].rpartition(":")[2].partition("/")[0])
        self.valkey.stop()
        while_down()
        self.valkey, _ = start_valkey(self.directory / "valkey", port)

    def end_mailing(self) -> None:
        """Let the next worker send mails, though one was killed while it did so."""
        with redis.from_url(self.environment["REDIS_URL"]) as valkey:
            valkey.delete(cache.make_key(MAILING))

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, what: str, check: Callable[[], bool]) -> None:
        """Return once ``check`` is true; fail with the workers' logs if it never is."""
        deadline = time.monotonic() + PATIENCE
        while not check():
            if time.monotonic() > deadline:
                logs = "\n".join(worker.log_tail() for worker in self._workers)
                raise AssertionError(f"never: {what}\n{logs}")
            time.sleep(0.1)

    def mails(self) -> list[tuple[str, str]]:
        """Return the addresses and subjects of the mails sent, sorted."""
        mails = [
            message_from_bytes(part + b"\n", policy=policy.default)
            for file in (self.directory / "mail").iterdir()
            for part in file.read_bytes().split(b"\n" + b"-" * 79 + b"\n")
            if part.strip()
        ]
        return sorted((str(mail["To"]), str(mail["Subject"])) for mail in mails)


@contextmanager
def start_check_stack(directory: Path) -> Iterator[CheckStack]:
    """Start all but workers; stop it all at the end."""
    (directory / "mail").mkdir()
    with ExitStack() as stack:
        fake = stack.enter_context(running_registry(LOGIN))
        receiver = stack.enter_context(running_receiver())
        postgres, database_url = start_postgres(directory / "postgres", durable=False)
        stack.enter_context(postgres)
        valkey, redis_url = start_valkey(directory / "valkey")
        stack.enter_context(valkey)
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.support.stacks.quick_settings",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "EMAIL_URL": f"filemail:///{directory / 'mail'}",
            "BERTH_INSECURE_REGISTRIES": fake.endpoint,
            "BERTH_INSECURE_WEBHOOKS": receiver.host,
            "BERTH_CHECKS_PER_HOST": "50",
            # Django's checks import every page, each time that a worker starts.
            "CELERY_SKIP_CHECKS": "1",
        }
        checks = CheckStack(
            directory, database_url, environment, fake, receiver, postgres, valkey
        )
        stack.callback(checks.stop)
        _migrate(environment, directory / "migrate.log")
        checks.seed = stack.enter_context(Seeder(environment, directory / "seeder.log"))
        yield checks


def kill(process: ManagedProcess) -> None:
    """Kill a process and its children: none of them has time for anything."""
    if process.exit_code is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.stop()


def _migrate(environment: dict[str, str], log: Path) -> None:
    with ManagedProcess(
        [sys.executable, "manage.py", "migrate", "--no-input", "--skip-checks"],
        name="migrate",
        log=log,
        env=environment,
        cwd=PROJECT,
    ) as process:
        process.wait_for_success(120)
