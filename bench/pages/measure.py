"""``python -m bench pages``: how long the portal's lists and searches take."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import urllib3

from bench.harness.errors import BenchError
from bench.harness.stats import percentile
from deploy.local.demo_settings import PROJECT, DemoSettings, portal_environment
from deploy.local.postgres import start_postgres
from deploy.local.postgres_home import find_home
from deploy.local.private_files import private_directory
from deploy.local.process import ManagedProcess, free_port
from deploy.local.valkey import start_valkey

if TYPE_CHECKING:
    from bench.pages.addresses import Address

CUSTOMERS = 100_000
PULLS = 1_000_000
QUICK_CUSTOMERS = 2_000
QUICK_PULLS = 20_000
WARM_UP = 3
CALLS = 20
GOAL_MS = 200


@dataclass(frozen=True, slots=True)
class PageTimes:
    """Milliseconds of one page, with what it is a page of."""

    name: str
    median_ms: float
    p95_ms: float


@contextmanager
def running_database(directory: Path) -> Iterator[dict[str, str]]:
    """Start PostgreSQL and Valkey; give the environment of a portal on them."""
    settings = DemoSettings(directory, *(free_port() for _ in range(3)))
    with ExitStack() as stack:
        cluster = private_directory(directory / "postgres") / "data"
        stack.callback(
            lambda: shutil.rmtree(find_home(cluster).data_dir, ignore_errors=True)
        )
        postgres, database_url = start_postgres(cluster)
        stack.enter_context(postgres)
        valkey, redis_url = start_valkey(directory / "valkey", durable=True)
        stack.enter_context(valkey)
        yield portal_environment(
            settings, database_url=database_url, redis_url=redis_url
        ) | {"LOG_LEVEL": "WARNING"}


@contextmanager
def running_portal(directory: Path) -> Iterator[str]:
    """Start the portal as production does; give its host."""
    port = free_port()
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "8"),
            "portal.wsgi:application",
        ],
        name="The portal",
        log=directory / "portal.log",
        env=dict(os.environ),
        cwd=PROJECT,
    )
    with process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        yield f"127.0.0.1:{port}"


def measure_pages(
    host: str, session: str, addresses: list[Address]
) -> Iterator[PageTimes]:
    """Ask for each page over and over, one request at a time.

    Raises:
        BenchError: a page is not 200, or does not show what it should.
    """
    pool = urllib3.PoolManager(headers={"Cookie": f"sessionid={session}"})
    for address in addresses:
        times = [_ask(pool, host, address) for _ in range(WARM_UP + CALLS)][WARM_UP:]
        yield PageTimes(address.name, median(times), percentile(times, 95))


def _ask(pool: urllib3.PoolManager, host: str, address: Address) -> float:
    started = time.perf_counter()
    response = pool.request(
        "GET", f"http://{host}{address.path}", redirect=False, retries=False
    )
    elapsed = (time.perf_counter() - started) * 1000
    if response.status != 200 or address.shows not in response.data.decode():
        raise BenchError(
            f"{address.path} gave {response.status}, without {address.shows!r}."
        )
    return elapsed


def render(
    times: list[PageTimes], machine: Mapping[str, str], *, customers: int, pulls: int
) -> str:
    """Return the report in Markdown."""
    about = (
        f"One team with {customers:,} customers, as many licenses, and {pulls:,} "
        "counted pulls. Milliseconds of whole requests, one at a time, over loopback "
        f"to the portal under granian; {CALLS} of each."
    )
    lines = [
        about,
        "",
        f"| Page | Median | p95 | Under {GOAL_MS} ms |",
        "| --- | --- | --- | --- |",
    ]
    for each in times:
        verdict = "met" if each.p95_ms < GOAL_MS else "**missed**"
        lines.append(
            f"| {each.name} | {each.median_ms:.0f} ms | {each.p95_ms:.0f} ms "
            f"| {verdict} |"
        )
    lines += ["", "|  |  |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in machine.items()]
    return "\n".join(lines)
