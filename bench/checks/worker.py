"""How many checks a second one worker process makes, with registries on loopback."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from django.db.models import QuerySet
from django.utils import timezone

from bench.checks.upstream import LOGIN_VARIABLE
from bench.harness.processes import cpu_seconds
from bench.harness.rounds import measure_in_turn, medians
from bench.harness.servers import Servers, running_module
from bench.seed.bulk import analyze
from bench.seed.registries import Login, make_due, plan_checks, seed_upstream
from deploy.local.demo_settings import PROJECT
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import start_registry
from portal.celery import app
from registries.models import CredentialCheck
from registries.tasks import check_due_registries_task

# No check takes this long here: without a new row, the task has ended.
QUIET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CheckSpeed:
    """Checks per second, and the worker's processor time for each."""

    per_second: float
    cpu_ms: float


@contextmanager
def running_upstreams(servers: Servers, login: Login) -> Iterator[dict[str, str]]:
    """Run two registries that accept the same login; yield their hosts by name."""
    pair = (login.username, login.password.reveal())
    environment = servers.environment | {LOGIN_VARIABLE: ":".join(pair)}
    port = free_port()
    with (
        running_module(
            *("uvicorn", "bench.checks.upstream:app", "--lifespan", "off"),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
            env=environment,
            log=servers.directory,
        ) as minimal,
        start_registry(servers.directory / "distribution", port, htpasswd=pair),
    ):
        yield {
            "Bearer tokens, from a minimal server": minimal.host,
            "Basic, from Distribution with htpasswd": f"localhost:{port}",
        }


@contextmanager
def running_worker(servers: Servers, hosts: Sequence[str]) -> Iterator[ManagedProcess]:
    """Run the worker as in production, but with one process and no beat."""
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "celery", "-A", "portal.celery:app"),
            *("worker", "--concurrency", "1"),
        ],
        name="The worker",
        log=servers.directory / "worker.log",
        env=servers.environment
        | {
            "BERTH_CHECKS_PER_HOST": "1000000",
            "BERTH_CHECKS_PER_TEAM": "1000000",
            "BERTH_INSECURE_REGISTRIES": ",".join(hosts),
        },
        cwd=PROJECT,
    )
    with process:
        process.wait_until(lambda: bool(app.control.ping(timeout=1)), 60)
        yield process


def measure_checks(
    servers: Servers, login: Login, *, checks: int, rounds: int
) -> dict[str, CheckSpeed]:
    """Have the worker check registries that are all due at once; return medians.

    Raises:
        LocalStackError: a check did not sign in, or none was made.
    """
    with (
        running_upstreams(servers, login) as hosts,
        running_worker(servers, list(hosts.values())) as worker,
    ):
        for host in hosts.values():
            seed_upstream(host, checks, login)
        plan_checks(due=0)
        analyze()
        measurements = {
            name: partial(_round, worker, host, checks) for name, host in hosts.items()
        }
        # The warm-up round opens connections and fills caches.
        speeds = measure_in_turn("Checks", rounds, measurements, warm_up=True)
    return {name: medians(items) for name, items in speeds.items()}


def _round(worker: ManagedProcess, host: str, checks: int) -> CheckSpeed:
    make_due(endpoint=host)
    cpu = _cpu_seconds(worker.pid)
    started = timezone.now()
    results = CredentialCheck.objects.filter(
        registry__endpoint=host, created_at__gte=started
    )
    check_due_registries_task.delay()
    number = _wait_for_rows(results, checks)
    spent = _cpu_seconds(worker.pid) - cpu
    signed_in = results.filter(
        outcome="valid", http_status=200, detail=f"Signed in to {host}."
    )
    if not number or signed_in.count() != number:
        raise worker.failure(f"made {number} checks; {signed_in.count()} signed in")
    return CheckSpeed(number / _seconds(started, results), spent * 1000 / number)


def _wait_for_rows(results: QuerySet[CredentialCheck], expected: int) -> int:
    """Return the number of stored results once it stops growing."""
    number, changed = 0, time.monotonic()
    while number < expected and time.monotonic() - changed < QUIET_SECONDS:
        time.sleep(0.2)
        count = results.count()
        if count != number:
            number, changed = count, time.monotonic()
    return number


def _seconds(started: datetime, results: QuerySet[CredentialCheck]) -> float:
    # Until the last row, not until this process noticed it.
    last = results.latest("created_at").created_at
    return (last - started).total_seconds()


def _cpu_seconds(pid: int) -> float:
    # Celery's main process, and the child that runs the tasks.
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return sum(cpu_seconds(process) for process in (pid, *map(int, children.split())))
