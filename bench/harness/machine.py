"""What the figures were measured on and with."""

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

_MEASURED = (
    *("edge", "registries", "licenses", "alerts", "teams", "audit", "portal", "oci"),
    "installer",
)
_GIT_DESCRIBE = (
    *("git", "-C", str(PROJECT)),
    *("describe", "--always", "--dirty=, with changes"),
)
LOAD = "Load made by"
_STOLEN = 7  # the column of /proc/stat
PYTHON_PACKAGES = (
    *("Django", "psycopg", "uvicorn", "uvloop", "httptools", "aiohttp", "celery"),
)


@dataclass(frozen=True, slots=True)
class MachineWatch:
    """The machine and the program as they were when a run began."""

    facts: dict[str, str]
    code: str
    cpu_times: list[int]

    @classmethod
    def start(cls) -> MachineWatch:
        """Look at the machine; the servers must be running."""
        return cls(_describe(), _code_digest(), _cpu_times())

    def finish(self) -> dict[str, str]:
        """Return names and values for the report.

        Raises:
            BenchError: the program is not the one that the run began with.
        """
        if _code_digest() != self.code:
            raise BenchError(
                "The code was changed during the run: the figures would be of two "
                "different programs. Run it again."
            )
        pairs = zip(self.cpu_times, _cpu_times(), strict=True)
        spent = [late - early for early, late in pairs]
        stolen = spent[_STOLEN] / sum(spent)
        return self.facts | {"Time stolen by the host meanwhile": f"{stolen:.1%}"}


def _describe() -> dict[str, str]:
    packages = [f"{name} {version(name)}" for name in PYTHON_PACKAGES]
    return {
        "Berth": first_line(_GIT_DESCRIBE),
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "CPU": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "Memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Load before the run": f"{os.getloadavg()[0]:.1f}",
        "Python": f"{platform.python_version()} with {', '.join(packages)}",
        "Servers": (
            f"PostgreSQL {_postgres_version()}, Valkey {_valkey_version()}, "
            f"Distribution {_number(first_line(['docker-registry', '--version']))}"
        ),
        LOAD: (
            f"wrk {_number(first_line(['wrk', '--version']))}, "
            f"curl {_number(first_line(['curl', '--version']))}"
        ),
    }


def _code_digest() -> str:
    digest = hashlib.sha256()
    for package in _MEASURED:
        for path in sorted((PROJECT / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _cpu_times() -> list[int]:
    with Path("/proc/stat").open(encoding="ascii") as stat:
        return [int(field) for field in stat.readline().split()[1:9]]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _postgres_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (found,) = cursor.fetchone()
    return str(found)


def _valkey_version() -> str:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        facts = client.info("server")
    return str(facts.get("valkey_version") or facts["redis_version"])


def _number(text: str) -> str:
    found = re.search(r"\d+(?:\.\d+)+", text)
    return found[0] if found else text
