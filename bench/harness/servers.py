"""The servers that all measurements need, and ways to start more."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.demo_settings import PROJECT, DemoSettings
from deploy.local.postgres_home import find_home
from deploy.local.private_files import private_directory
from deploy.local.process import ManagedProcess, free_port
from deploy.local.stack import prepare, start_servers

# One load requests more tokens in a minute than any customer.
_SETTINGS = {
    "LOG_LEVEL": "WARNING",
    "BERTH_TOKEN_REQUESTS_PER_MINUTE": "1000000000",
}
_EDGE = (
    *("uvicorn", "edge.app:app", "--loop", "uvloop"),
    *("--http", "edge.connections:LimitedConnection"),
    *("--lifespan", "on", "--no-access-log", "--no-server-header"),
    *("--no-proxy-headers", "--log-level", "warning"),
    *("--timeout-graceful-shutdown", "5"),
)


@dataclass(frozen=True, slots=True)
class Servers:
    """Running PostgreSQL and Valkey, and the environment of Berth's processes."""

    settings: DemoSettings
    environment: dict[str, str]
    postgres: ManagedProcess
    valkey: ManagedProcess

    @property
    def directory(self) -> Path:
        return self.settings.directory


@dataclass(frozen=True, slots=True)
class Server:
    """A running HTTP server; ``behind`` are processes that work for it."""

    pid: int
    host: str
    behind: tuple[int, ...] = ()


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start PostgreSQL, migrated, and Valkey; remove everything afterwards.

    Raises:
        LocalStackError: a server did not start, or a migration failed.
    """
    parent = private_directory(PROJECT / "var")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name,
        ExitStack() as stack,
    ):
        settings = DemoSettings(Path(name), *(free_port() for _ in range(3)))
        # PostgreSQL may keep its data outside the directory.
        home = find_home(private_directory(Path(name) / "postgres") / "data")
        stack.callback(shutil.rmtree, home.data_dir, ignore_errors=True)
        servers = start_servers(settings, stack)
        prepare(settings, servers.environment)
        environment = servers.environment | _SETTINGS
        yield Servers(settings, environment, *servers.processes)


def running_edge(
    environment: Mapping[str, str], directory: Path, port: int | None = None
) -> AbstractContextManager[Server]:
    """Run one edge process as in production."""
    return running_module(*_EDGE, env=environment, log=directory, port=port)


def start_edge(
    environment: Mapping[str, str], directory: Path, port: int
) -> ManagedProcess:
    """Start the same and return it once it is ready."""
    return _start_module(*_EDGE, env=environment, log=directory, port=port)


@contextmanager
def running_module(
    *arguments: str, env: Mapping[str, str], log: Path, port: int | None = None
) -> Iterator[Server]:
    """Run a Python module that serves HTTP, with its log in the directory ``log``.

    Raises:
        LocalStackError: it did not start; the message quotes its log.
    """
    port = port or free_port()
    with _start_module(*arguments, env=env, log=log, port=port) as process:
        yield Server(process.pid, f"localhost:{port}")


def _start_module(
    *arguments: str, env: Mapping[str, str], log: Path, port: int
) -> ManagedProcess:
    name = f"{arguments[0]}-{port}"
    process = ManagedProcess(
        [
            *(sys.executable, "-m", *arguments),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        name=name,
        log=log / f"{name}.log",
        env=env,
        cwd=PROJECT,
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
    return process
