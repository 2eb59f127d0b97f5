"""Processes that can be killed, frozen and started again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from django.conf import settings

from bench.harness.servers import Servers, start_edge
from bench.revocation.history import Process
from deploy.local.demo_settings import PROJECT
from deploy.local.nginx import NGINX
from deploy.local.postgres import start_postgres
from deploy.local.process import ManagedProcess
from deploy.local.valkey import start_valkey


@dataclass(slots=True)
class Victim:
    """A running process, and how to start it again."""

    process: ManagedProcess
    start: Callable[[], ManagedProcess]

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def restart(self) -> None:
        """Start a killed process again."""
        self.process.stop()  # collects its exit code
        self.process = self.start()

    def end(self) -> None:
        """Stop it for good, even if it is frozen."""
        self.thaw()
        self.process.stop()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            children = parent.children(recursive=True)
            # The parent first, so that it starts no more children.
            for process in (parent, *children):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)


def start_victims(
    servers: Servers, nginx: Path, nginx_port: int, cache: Mapping[str, str]
) -> dict[Process, Victim]:
    """Start edge, worker and nginx, with its configuration; return all victims.

    ``cache`` has the settings of the edge's disk cache. PostgreSQL and Valkey run
    already.
    """
    starts = {
        Process.EDGE: partial(
            start_edge,
            {**servers.environment, **cache},
            servers.directory,
            servers.settings.portal_port,
        ),
        Process.WORKER: partial(_start_worker, servers),
        Process.NGINX: partial(_start_nginx, nginx, nginx_port),
    }
    victims = {name: Victim(start(), start) for name, start in starts.items()}
    postgres = partial(_start_postgres, servers.directory / "postgres" / "data")
    valkey = partial(_start_valkey, servers.directory / "valkey")
    return {
        **victims,
        Process.POSTGRES: Victim(servers.postgres, postgres),
        Process.VALKEY: Victim(servers.valkey, valkey),
    }


def _start_postgres(data: Path) -> ManagedProcess:
    # Durable, or a kill would undo commits.
    return start_postgres(data, urlsplit(settings.DATABASE_URL).port)[0]


def _start_valkey(data: Path) -> ManagedProcess:
    return start_valkey(data, urlsplit(settings.REDIS_URL).port, durable=True)[0]


def _start_worker(servers: Servers) -> ManagedProcess:
    return ManagedProcess(
        [
            *(sys.executable, "-m", "celery", "-A", "portal.celery:app"),
            *("worker", "--beat", "--concurrency", "1"),
        ],
        name="The worker",
        log=servers.directory / "worker.log",
        env=servers.environment | {"LOG_LEVEL": "WARNING"},
        cwd=PROJECT,
    )


def _start_nginx(configuration: Path, port: int) -> ManagedProcess:
    directory = configuration.parent
    process = ManagedProcess(
        [NGINX, "-c", str(configuration), "-p", str(directory)],
        name="nginx",
        log=directory / "nginx.log",
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/")
    return process
