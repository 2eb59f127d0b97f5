"""``make demo``: all of Berth and two registries on this machine, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from deploy.local.demo_settings import PORT_VARIABLES, DemoSettings, read_settings
from deploy.local.demo_text import introduction
from deploy.local.ports import require_free_port
from deploy.local.process import LocalStackError, ManagedProcess
from deploy.local.registry import find_registry
from deploy.local.schema import claim_database
from deploy.local.stack import (
    SAMPLE_REPOSITORY,
    SAMPLE_TAG,
    SAMPLE_USER,
    build_installer,
    prepare,
    start_berth,
    start_registries,
    start_servers,
)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    # `kill` and a closed terminal stop the demo as cleanly as Ctrl-C does. Shells
    # disable Ctrl-C for background jobs; this enables it again.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        run_demo(read_settings())
    except KeyboardInterrupt:
        print("\nStopped. `make demo` starts it again with the same data.")
    except LocalStackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def run_demo(settings: DemoSettings) -> None:
    """Start everything, print how to use it, and wait.

    Raises:
        LocalStackError: a process did not start, or ended; all others are stopped.
        KeyboardInterrupt: the user stopped the demo; all processes are stopped.
    """
    with _only_demo(settings), ExitStack() as stack:
        claim_database(settings)
        _check_ports(settings)
        find_registry()
        try:
            processes = _start_all(settings, stack)
            print(introduction(settings, read_facts(settings.facts)), flush=True)
            _watch(processes)
        finally:
            _ignore_signals()


@contextlib.contextmanager
def _only_demo(settings: DemoSettings) -> Iterator[None]:
    with (settings.directory / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LocalStackError(
                f"A demo with its data in {settings.directory} is already running: "
                f"process {lock.read().strip() or 'unknown'}. Stop it with Ctrl-C, or "
                "start a second one with BERTH_DEMO_DIR=DIRECTORY and other ports."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _check_ports(settings: DemoSettings) -> None:
    ports = (settings.portal_port, settings.registry_port, settings.sample_port)
    for (purpose, (variable, _)), port in zip(
        PORT_VARIABLES.items(), ports, strict=True
    ):
        require_free_port(port, purpose=f"the {purpose}", variable=variable)


def _start_all(settings: DemoSettings, stack: ExitStack) -> list[ManagedProcess]:
    _say("Starting PostgreSQL and Valkey …")
    servers = start_servers(settings, stack)
    log = settings.logs / "installer.log"
    wheel = build_installer(settings.directory / "installer", log)
    servers.environment["BERTH_INSTALLER_WHEEL"] = str(wheel)
    _say("Starting two registries and pushing the sample image …")
    registries = start_registries(settings, stack)
    _say("Migrating the database, collecting static files, creating the demo team …")
    prepare(settings, servers.environment, demo_command(settings))
    _say("Starting the portal, the edge and the worker …")
    berth = start_berth(settings, servers.environment, stack)
    return [*servers.processes, *registries, *berth]


def demo_command(settings: DemoSettings) -> list[str]:
    """Return the management command that creates the demo team and its facts."""
    return [
        "create_demo",
        *("--sample-endpoint", settings.sample_host),
        *("--sample-username", SAMPLE_USER),
        *("--sample-password-file", str(settings.sample_password)),
        *("--sample-image", f"{SAMPLE_REPOSITORY}:{SAMPLE_TAG}"),
        *("--output", str(settings.facts)),
    ]


def read_facts(path: Path) -> dict[str, str]:
    """Return the shell variables that describe a demo."""
    words = shlex.split(path.read_text(encoding="utf-8"))
    return dict(word.split("=", 1) for word in words)


def _watch(processes: list[ManagedProcess]) -> None:
    while True:
        for process in processes:
            if process.exit_code is not None:
                raise process.failure(f"ended with exit code {process.exit_code}")
        time.sleep(0.5)


def _ignore_signals() -> None:
    # A second Ctrl-C must not interrupt the shutdown of the servers.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
