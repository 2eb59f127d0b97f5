"""Load from ``wrk`` for small responses and from ``curl`` for large ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness.errors import BenchError
from bench.harness.processes import cpu_seconds
from bench.harness.servers import Server
from bench.harness.tools import run_tool

CONNECTIONS = 16
_SCRIPT = Path(__file__).with_name("wrk.lua")
_RESULT = re.compile(r"^berth (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request to repeat."""

    url: str
    headers: Mapping[str, str]

    @property
    def header_options(self) -> list[str]:
        pairs = self.headers.items()
        return [word for name, value in pairs for word in ("-H", f"{name}: {value}")]


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one round of load.

    ``cpu_ms`` is the processor time per request of the process that answers, without
    that of the servers behind it.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def load(request: Request, seconds: int, pid: int) -> Load:
    """Repeat a request to the process ``pid`` from 16 connections.

    Raises:
        BenchError: a response was an error, or a connection broke.
    """
    return _run_wrk([*request.header_options, request.url], seconds, pid)


def load_from_file(
    server: Server, requests: Path, responses: Path, seconds: int
) -> Load:
    """Send requests from a file to a server from 16 connections, in turn.

    Raises:
        BenchError: a response was an error, or a connection broke.
    """
    files = map(str, (requests, responses))
    return _run_wrk([f"http://{server.host}/", "--", *files], seconds, server.pid)


def _run_wrk(arguments: Sequence[str], seconds: int, pid: int) -> Load:
    cpu_before = cpu_seconds(pid)
    output = run_tool(
        [
            *("wrk", "--threads", "1", "--connections", str(CONNECTIONS)),
            *("--duration", f"{seconds}s", "--timeout", "10s"),
            *("--script", str(_SCRIPT), *arguments),
        ]
    )
    cpu = cpu_seconds(pid) - cpu_before
    result = _RESULT.search(output)
    if result is None:
        raise BenchError(f"wrk did not print its results:\n{output}")
    requests, microseconds, p50, p99, failed = map(int, result.groups())
    if failed or not requests:
        raise BenchError(f"{failed} of {requests} requests failed:\n{output}")
    return Load(
        requests_per_second=requests / (microseconds / 1e6),
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        cpu_ms=cpu / requests * 1000,
    )


def download(request: Request, size: int) -> float:
    """Get a body of ``size`` bytes once; return its megabytes (10^6) per second.

    Raises:
        BenchError: the status is not 200, or the body has another size.
    """
    output = run_tool(
        [
            *("curl", "--silent", "--show-error", "--output", "/dev/null"),
            *("--write-out", "%{http_code} %{size_download} %{time_total}"),
            *request.header_options,
            request.url,
        ]
    )
    status, received, seconds = output.split()
    if (status, received) != ("200", str(size)):
        raise BenchError(f"{request.url} gave {status} with {received} bytes.")
    return size / float(seconds) / 1e6
