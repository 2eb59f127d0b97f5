"""The hardware and software that a report was measured with."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

from bench.harness.errors import BenchError
from bench.harness.tools import first_line
from deploy.local.demo_settings import PROJECT
from deploy.local.nginx import NGINX

_MEASURED = (
    *("customers", "edge", "images", "registries", "licenses", "alerts", "teams"),
    *("audit", "portal", "oci", "installer"),
)
_GIT_DESCRIBE = (
    *("git", "-C", str(PROJECT)),
    *("describe", "--always", "--dirty=, with changes"),
)
_STOLEN = 7  # the column of /proc/stat
_PACKAGES = "Django psycopg uvicorn uvloop httptools aiohttp celery"


@dataclass(frozen=True, slots=True)
class MachineWatch:
    """The machine and Berth's code at the start of a run."""

    facts: dict[str, str]
    code: str
    cpu_times: list[int]

    @classmethod
    def start(cls) -> MachineWatch:
        """Record the machine's state; the servers must be running."""
        return cls(_describe(), _code_digest(), _cpu_times())

    def finish(self) -> dict[str, str]:
        """Return names and values for the report.

        Raises:
            BenchError: the code has changed since the run began.
        """
        if _code_digest() != self.code:
            raise BenchError(
                "The code changed during the run, so the figures mix two versions. "
                "Run it again."
            )
        pairs = zip(self.cpu_times, _cpu_times(), strict=True)
        spent = [late - early for early, late in pairs]
        stolen = spent[_STOLEN] / sum(spent)
        return self.facts | {"CPU time stolen by the host": f"{stolen:.1%}"}


def _describe() -> dict[str, str]:
    packages = [f"{name} {version(name)}" for name in _PACKAGES.split()]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "Berth": first_line(_GIT_DESCRIBE),
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "CPU": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "Memory": f"{memory / 2**30:.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Load before the run": f"{os.getloadavg()[0]:.1f}",
        "Python": f"{platform.python_version()} with {', '.join(packages)}",
        "Servers": (
            f"PostgreSQL {_postgres_version()}, Valkey {_valkey_version()}, "
            f"Distribution {_program_version('docker-registry')}, "
            f"nginx {_program_version(NGINX, '-v')}"
        ),
        "Load tools": f"wrk {_program_version('wrk')}, curl {_program_version('curl')}",
    }


def _code_digest() -> str:
    digest = hashlib.sha256()
    modules = (path for name in _MEASURED for path in (PROJECT / name).rglob("*.py"))
    configuration = (PROJECT / "deploy" / "nginx").rglob("*.*")
    for path in sorted([*modules, *configuration]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cpu_times() -> list[int]:
    with Path("/proc/stat").open(encoding="ascii") as stat:
        return [int(field) for field in stat.readline().split()[1:9]]


def _processor() -> str:
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = re.search(r"^model name\s*:\s*(.*)$", facts, re.MULTILINE)
    return name[1] if name else platform.machine()


def _postgres_version() -> str:
    with connection.cursor() as cursor:
        return str(cursor.execute("SHOW server_version").fetchone()[0])


def _valkey_version() -> str:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        facts = client.info("server")
    return str(facts.get("valkey_version") or facts["redis_version"])


def _program_version(program: str, option: str = "--version") -> str:
    line = first_line([program, option])
    number = re.search(r"\d+(?:\.\d+)+", line)
    return number[0] if number else line
