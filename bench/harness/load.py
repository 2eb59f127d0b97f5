"""Load from ``wrk`` for small responses and from ``curl`` for large ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.harness.errors import BenchError
from bench.harness.processes import cpu_seconds, wait_until_idle
from bench.harness.servers import Server
from bench.harness.tools import run_tool
from deploy.local.private_files import write_private

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
        """Return curl's options for the headers."""
        pairs = self.headers.items()
        return [word for name, value in pairs for word in ("-H", f"{name}: {value}")]

    @property
    def line(self) -> str:
        """Return the line for ``wrk.lua``."""
        url = urlsplit(self.url)
        path = f"{url.path}?{url.query}" if url.query else url.path
        headers = (f"{name}: {value}" for name, value in self.headers.items())
        return "\t".join([path, *headers]) + "\n"


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one round of load.

    ``cpu_ms`` is the processor time per request of the process that answers, and
    ``behind_cpu_ms`` that of a measured process behind it.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    behind_cpu_ms: float = 0.0


def load(
    requests: Sequence[Request], server: Server, seconds: int, connections: int
) -> Load:
    """Send requests to a server in turn, on a number of connections.

    Raises:
        BenchError: a response was an error, or a connection broke.
    """
    lines = "".join(request.line for request in requests)
    with TemporaryDirectory(prefix="bench-") as name:
        file = write_private(Path(name) / "requests", lines)
        return load_from_file(server, [file], seconds, connections)


def load_from_file(
    server: Server,
    files: Sequence[Path],
    seconds: int,
    connections: int = CONNECTIONS,
) -> Load:
    """Send requests from the first file in turn; write responses to the second.

    Without a second file, responses are not kept.

    Raises:
        BenchError: a response was an error, or a connection broke.
    """
    processes = [server.pid, *server.behind]
    # The last round's requests may still be in progress.
    wait_until_idle(processes)
    before = [cpu_seconds(pid) for pid in processes]
    output = run_tool(
        [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", "10s"),
            *("--script", str(_SCRIPT), f"http://{server.host}/", "--"),
            *map(str, files),
        ]
    )
    spent = [
        cpu_seconds(pid) - then for pid, then in zip(processes, before, strict=True)
    ]
    return _result(output, spent)


def _result(output: str, cpu: Sequence[float]) -> Load:
    result = _RESULT.search(output)
    if result is None:
        raise BenchError(f"wrk did not print its results:\n{output}")
    requests, microseconds, p50, p99, failed = map(int, result.groups())
    if failed or not requests:
        raise BenchError(f"{failed} of {requests} requests failed:\n{output}")
    front, *behind = (seconds / requests * 1000 for seconds in cpu)
    return Load(
        requests_per_second=requests / (microseconds / 1e6),
        p50_ms=p50 / 1000,
        p99_ms=p99 / 1000,
        cpu_ms=front,
        behind_cpu_ms=sum(behind),
    )


def download(request: Request, size: int) -> float:
    """Get a body of ``size`` bytes once; return its megabytes (10^6) per second.

    Raises:
        BenchError: the status is unexpected, or the body has another size.
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
    expected = "206" if "Range" in request.headers else "200"
    if (status, received) != (expected, str(size)):
        raise BenchError(f"{request.url} gave {status} with {received} bytes.")
    return size / float(seconds) / 1e6
