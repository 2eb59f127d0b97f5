"""The cache manager keeps the disk cache within its limits."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from deploy.local.process import ManagedProcess
from edge.cache.place import Place
from registries.models import CacheUse, ExternalRegistry
from tests.e2e.conftest import PROJECT
from tests.e2e.pull_log.test_cache_manager import database_url, eventually, write
from tests.support.rows.factories import ExternalRegistryFactory
from tests.support.rows.pull_log import LogLines
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.edge.cache.objects import key, put, store


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def registry(vendor: Vendor) -> ExternalRegistry:
    registry: ExternalRegistry = ExternalRegistryFactory(team=vendor.team)
    return registry


@contextmanager
def manager(cache: Path, log: Path | None) -> Iterator[ManagedProcess]:
    arguments = ["--log", str(log)] if log else []
    with ManagedProcess(
        [sys.executable, "manage.py", "cache_manager", *arguments],
        name="cache manager",
        log=cache.with_name("manager.txt"),
        env=os.environ
        | {
            "DATABASE_URL": database_url(),
            "BERTH_CACHE_DIR": str(cache),
            "BERTH_CACHE_BYTES": "50000",
            "BERTH_CACHE_MIN_FREE_BYTES": "0",
        },
        cwd=PROJECT,
    ) as process:
        yield process


@pytest.mark.parametrize("has_log", [True, False])
def test_the_cache_is_kept_within_its_limits(
    vendor: Vendor, registry: ExternalRegistry, tmp_path: Path, has_log: bool
) -> None:
    kept, place = store(tmp_path / "cache"), Place(str(registry.pk), "0" * 32)
    bodies = [os.urandom(20_000) for _ in range(5)]
    paths = [put(kept, body, place) for body in bodies]

    with manager(tmp_path / "cache", tmp_path / "pulls.log" if has_log else None):
        eventually(CacheUse.objects.exists)

    assert 1 <= sum(path.exists() for path in paths) < 5
    gone = sum(not path.exists() for path in paths)
    assert CacheUse.objects.get().evictions == gone
    assert CacheUse.objects.get().registry_id == registry.pk


def test_a_log_that_grows_is_stored_once_a_second_with_evictions(
    vendor: Vendor, registry: ExternalRegistry, tmp_path: Path
) -> None:
    kept, place = store(tmp_path / "cache"), Place(str(registry.pk), "0" * 32)
    for _ in range(5):
        put(kept, os.urandom(20_000), place)
    log = tmp_path / "pulls.log"
    pk = vendor.license().pk
    pull = f"{vendor.team.pk} license:{pk} {registry.pk} {pk}"

    before, began = positions_stored(), time.monotonic()
    with growing(log, LogLines(pull)), manager(tmp_path / "cache", log):
        eventually(CacheUse.objects.filter(evictions__gt=0).exists)
        time.sleep(5)
    seconds = time.monotonic() - began

    # Once a second, not as often as the database can.
    assert 1 <= positions_stored() - before <= seconds + 1


def positions_stored() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_get_tuples_updated('registries_pulllog'::regclass)"
        )
        return int(cursor.fetchone()[0])


@contextmanager
def growing(log: Path, lines: LogLines) -> Iterator[None]:
    """Write a few lines at a time, without a pause of a second."""
    done = threading.Event()

    def grow() -> None:
        while not done.wait(0.01):
            write(log, lines.podman())

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def test_what_nginx_serves_counts_as_used(
    vendor: Vendor, registry: ExternalRegistry, tmp_path: Path
) -> None:
    kept, place = store(tmp_path / "cache"), Place(str(registry.pk), "0" * 32)
    body = os.urandom(20_000)
    path = put(kept, body, place)
    modified = path.stat().st_mtime_ns
    an_hour_ago = time.time_ns() - 3600 * 10**9
    os.utime(path, ns=(an_hour_ago, modified))
    log = tmp_path / "pulls.log"
    pk = vendor.license().pk
    pull = f"{vendor.team.pk} license:{pk} {registry.pk} {pk}"
    lines = LogLines(pull, place=str(place))
    digest = key(body, place=place).digest
    with manager(tmp_path / "cache", log):
        write(log, lines.blob(cache="hit", reference=digest, digest=digest))
        eventually(lambda: path.stat().st_atime_ns > an_hour_ago + 3000 * 10**9)

    assert path.stat().st_mtime_ns == modified
