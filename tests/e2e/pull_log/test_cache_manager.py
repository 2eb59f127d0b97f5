"""The cache manager counts each line once, whatever happens to it and the log."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Sum

from deploy.local.process import ManagedProcess
from licenses.models import License
from registries.models import CacheUse, LicenseTraffic, PullEvent, PullLog
from tests.e2e.conftest import PROJECT
from tests.support.rows.factories import ExternalRegistryFactory
from tests.support.rows.pull_log import LogLines
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.forwarder import Forwarder, forwarder

BYTES_OF_PULL = 11_000  # of LogLines.docker() and .podman()


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def license(vendor: Vendor) -> License:
    return vendor.license()


@pytest.fixture
def lines(vendor: Vendor, license: License) -> LogLines:
    registry = ExternalRegistryFactory(team=vendor.team)
    pull = f"{vendor.team.pk} license:{license.pk} {registry.pk} {license.pk}"
    return LogLines(pull, at=time.time())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "pulls.log"


@pytest.fixture
def line(transactional_db: None) -> Iterator[Forwarder]:
    """The line between a cache manager and its database."""
    database = connection.settings_dict
    with forwarder(database["HOST"], int(database["PORT"])) as running:
        yield running


def database_url(port: int | None = None) -> str:
    database = connection.settings_dict
    return (
        f"postgresql://{database['USER']}:{database['PASSWORD']}"
        f"@{database['HOST']}:{port or database['PORT']}/{database['NAME']}"
    )


def manager(log: Path, port: int | None = None) -> ManagedProcess:
    return ManagedProcess(
        [sys.executable, "manage.py", "cache_manager", "--log", str(log)],
        name="cache manager",
        log=log.with_name("manager.txt"),
        env=os.environ | {"DATABASE_URL": database_url(port)},
        cwd=PROJECT,
    )


def write(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def rotate(log: Path) -> None:
    for number in range(20, 0, -1):
        if (path := log.with_name(f"{log.name}.{number}")).exists():
            path.rename(f"{log}.{number + 1}")
    log.rename(f"{log}.1")
    # As if nginx had reopened its log a minute ago.
    os.utime(f"{log}.1", (time.time() - 60,) * 2)


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def counted() -> int:
    return sum(PullEvent.objects.values_list("count", flat=True))


def test_pulls_bytes_and_hits_are_stored(
    log: Path, lines: LogLines, license: License
) -> None:
    write(log, lines.docker() * 2 + lines.podman() + '{"time":1')
    with manager(log) as process:
        eventually(lambda: counted() == 3)
        write(log, "\n")  # which completes a malformed line
        write(log, lines.podman())
        eventually(lambda: counted() == 4)
        with manager(log) as second:
            eventually(lambda: second.exit_code is not None)
            assert second.exit_code == 1
        os.kill(process.pid, signal.SIGTERM)
        eventually(lambda: process.exit_code is not None, 10)
        assert process.exit_code == 0

    assert "Another cache manager reads" in log.with_name("manager.txt").read_text()
    event = PullEvent.objects.get()
    assert (event.reference, event.license_id, event.count) == ("v1", license.pk, 4)
    assert LicenseTraffic.objects.get().bytes == 4 * BYTES_OF_PULL
    use = CacheUse.objects.get()
    assert (use.hits, use.misses, use.bytes) == (2, 10, 20_000)
    assert PullLog.objects.get().malformed_lines == 1


def test_each_line_counts_once_over_kills_and_rotations(
    log: Path, lines: LogLines
) -> None:
    """Killed at any time: while it reads, counts, or stores."""
    picks = random.Random(7)  # noqa: S311 -- a test
    written = 0
    write(log, "")
    for number in range(8):
        with manager(log) as process:
            until = time.monotonic() + picks.uniform(1, 4)
            while time.monotonic() < until:
                text = "".join(
                    picks.choice([lines.docker, lines.podman])() for _ in range(20)
                )
                written += 20
                # Also ends within a line, and within a pull.
                cut = picks.randrange(len(text))
                write(log, text[:cut])
                time.sleep(0.02)
                write(log, text[cut:])
            os.kill(process.pid, signal.SIGKILL)
            eventually(lambda: process.exit_code is not None)
        for _ in range(number % 3):
            rotate(log)
            write(log, lines.podman())
            written += 1

    with manager(log):
        eventually(lambda: counted() >= written, 60)
        time.sleep(1.5)

    assert counted() == written
    assert "may have been lost" not in log.with_name("manager.txt").read_text()
    assert {*PullEvent.objects.values_list("reference", flat=True)} == {"v1"}
    traffic = LicenseTraffic.objects.aggregate(all=Sum("bytes"))["all"]
    assert traffic == written * BYTES_OF_PULL
    assert PullLog.objects.get().malformed_lines == 0


def test_a_lock_file_that_cannot_be_written_is_named(log: Path) -> None:
    lock = log.with_name("pulls.log.lock")
    lock.mkdir()
    with manager(log) as process:
        eventually(lambda: process.exit_code is not None)
        assert process.exit_code == 1

    text = log.with_name("manager.txt").read_text()
    assert f"{lock} cannot be used: Is a directory" in text


def test_an_outage_of_the_database_loses_nothing(
    log: Path, lines: LogLines, line: Forwarder
) -> None:
    write(log, lines.docker())
    with manager(log, line.port) as process:
        eventually(lambda: counted() == 1)
        line.cut()
        write(log, lines.docker() * 5)
        time.sleep(3)
        assert counted() == 1
        rotate(log)
        write(log, lines.podman() * 4)
        line.restore()
        eventually(lambda: counted() == 10, 60)

        line.cut()
        write(log, lines.podman())
        time.sleep(2)
        os.kill(process.pid, signal.SIGTERM)
        eventually(lambda: process.exit_code is not None, 40)
        assert process.exit_code == 0
    line.restore()
    with manager(log):
        eventually(lambda: counted() == 11)

    assert LicenseTraffic.objects.get().bytes == 11 * BYTES_OF_PULL
    assert "could not be counted; retrying" in log.with_name("manager.txt").read_text()
