"""How many checks a second one worker process makes, with a registry close by."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from django.db.models import QuerySet
from django.utils import timezone

from bench.checks.upstream import LOGIN_VARIABLE
from bench.harness.process_facts import cpu_seconds
from bench.pulls.rounds import Say
from bench.seed.licenses import analyze
from bench.seed.registries import Login, make_host_due, seed_upstream
from deploy.local.demo_settings import PROJECT
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import start_registry
from portal.celery import app
from registries.models import CredentialCheck
from registries.tasks import check_due_registries_task

NO_LIMIT = 1_000_000
# No check takes so long here: after it the task has ended, whatever is left.
QUIET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """A registry that is checked against: how it is called, and where it is."""

    name: str
    host: str


@dataclass(frozen=True, slots=True)
class CheckSpeed:
    """What came of all rounds with one upstream; both figures are medians."""

    upstream: str
    checks: int
    rounds: int
    per_second: float
    cpu_ms: float


@contextmanager
def running_upstreams(directory: Path, login: Login) -> Iterator[list[Upstream]]:
    """Start both registries, which take the same login."""
    with ExitStack() as stack:
        port, other = free_port(), free_port()
        stack.enter_context(_start_upstream(directory, port, login))
        stack.enter_context(
            start_registry(
                directory / "distribution",
                other,
                htpasswd=(login.username, login.password.reveal()),
            )
        )
        yield [
            Upstream("Bearer tokens, from a minimal server", f"localhost:{port}"),
            Upstream("Basic, from Distribution with htpasswd", f"localhost:{other}"),
        ]


def _start_upstream(directory: Path, port: int, login: Login) -> ManagedProcess:
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "uvicorn", "bench.checks.upstream:app"),
            *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
        ],
        name="The upstream",
        log=directory / "upstream.log",
        env=os.environ
        | {LOGIN_VARIABLE: f"{login.username}:{login.password.reveal()}"},
        cwd=PROJECT,
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/v2/")
    return process


@contextmanager
def running_worker(
    directory: Path, upstreams: list[Upstream]
) -> Iterator[ManagedProcess]:
    """Start the worker as production does, but with one process and no beat."""
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "celery", "-A", "portal.celery:app"),
            *("worker", "--concurrency", "1", "--loglevel", "INFO"),
        ],
        name="The worker",
        log=directory / "worker.log",
        env=os.environ
        | {
            "BERTH_CHECKS_PER_HOST": str(NO_LIMIT),
            "BERTH_INSECURE_REGISTRIES": ",".join(each.host for each in upstreams),
        },
        cwd=PROJECT,
    )
    with process:
        process.wait_until(lambda: bool(app.control.ping(timeout=1)), 60)
        yield process


def measure_checks(
    worker: ManagedProcess,
    upstream: Upstream,
    login: Login,
    *,
    checks: int,
    rounds: int,
    say: Say,
) -> CheckSpeed:
    """Have the worker check registries, all of them due at once, over and over.

    Raises:
        LocalStackError: a check did not sign in, or none was made.
    """
    seed_upstream(upstream.host, checks, login)
    analyze()
    # The first round opens connections and fills caches.
    measured = []
    for number in range(1 + rounds):
        say(f"Checks: {upstream.name}, round {number} of {rounds} …")
        measured.append(_round(worker, upstream, checks))
    return CheckSpeed(
        upstream=upstream.name,
        checks=checks,
        rounds=rounds,
        per_second=median(speed for speed, _ in measured[1:]),
        cpu_ms=median(cpu_ms for _, cpu_ms in measured[1:]),
    )


def _round(
    worker: ManagedProcess, upstream: Upstream, checks: int
) -> tuple[float, float]:
    """Return the checks per second, and the worker's milliseconds for each."""
    make_host_due(upstream.host)
    cpu = _cpu_seconds(worker.pid)
    started = timezone.now()
    written = CredentialCheck.objects.filter(
        registry__endpoint=upstream.host, created_at__gte=started
    )
    check_due_registries_task.delay()
    number = _wait_for_rows(written, checks)
    spent = _cpu_seconds(worker.pid) - cpu
    signed_in = written.filter(
        outcome="valid", http_status=200, detail=f"Signed in to {upstream.host}."
    )
    if not number or signed_in.count() != number:
        raise worker.failure(
            f"made {number} checks, {signed_in.count()} of them as they should be"
        )
    return number / _seconds(started, written), spent * 1000 / number


def _wait_for_rows(written: QuerySet[CredentialCheck], expected: int) -> int:
    """Return how many checks were written down, once no more are."""
    number, changed = 0, time.monotonic()
    while number < expected and time.monotonic() - changed < QUIET_SECONDS:
        time.sleep(0.2)
        found = written.count()
        if found != number:
            number, changed = found, time.monotonic()
    return number


def _seconds(started: datetime, written: QuerySet[CredentialCheck]) -> float:
    # Until the last row, and not until somebody looked.
    last = written.latest("created_at").created_at
    return (last - started).total_seconds()


def _cpu_seconds(pid: int) -> float:
    # Celery's own process, and the one that the tasks run in.
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return sum(cpu_seconds(each) for each in (pid, *map(int, children.split())))
