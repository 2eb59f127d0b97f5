"""``make demo``: all of Berth and two registries on this machine, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from deploy.local.demo_settings import (
    PORT_VARIABLES,
    PROJECT,
    REGISTRY_SERVICE,
    DemoSettings,
    portal_environment,
    read_settings,
)
from deploy.local.demo_text import introduction
from deploy.local.images import manifest_exists, push_image, push_index, tar_layer
from deploy.local.ports import require_free_port
from deploy.local.postgres import start_postgres
from deploy.local.private_files import kept_secret, private_directory
from deploy.local.process import LocalStackError, ManagedProcess
from deploy.local.registry import TokenAuth, ensure_registry, start_registry
from deploy.local.valkey import start_valkey

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAMPLE_USER = "sample"
SAMPLE_REPOSITORY = "my-org/api"
SAMPLE_TAG = "v1.0.1"


def main() -> int:
    # Closing the terminal and `kill` end the demo as cleanly as Ctrl-C, which shells
    # switch off for what they start in the background.
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
    """Start everything, say how to use it, and wait.

    Raises:
        LocalStackError: something did not start or ended by itself; all is stopped.
        KeyboardInterrupt: the user ended it; all is stopped.
    """
    with _only_demo(settings), ExitStack() as stack:
        _check_ports(settings)
        ensure_registry()
        try:
            processes = _start_all(settings, stack)
            print(introduction(settings, _read_facts(settings.facts)), flush=True)
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
                f"process {lock.read().strip() or 'unknown'}. Stop that one with "
                "Ctrl-C, or start a second one with BERTH_DEMO_DIR=ANOTHER_DIRECTORY "
                "and its own ports."
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
    directory = settings.directory
    _say("Starting PostgreSQL and Valkey …")
    postgres, database_url = start_postgres(
        private_directory(directory / "postgres") / "data"
    )
    stack.enter_context(postgres)
    valkey, redis_url = start_valkey(directory / "valkey", durable=True)
    stack.enter_context(valkey)
    environment = portal_environment(
        settings, database_url=database_url, redis_url=redis_url
    )
    _say("Preparing keys and the database …")
    _create_signing_keys(settings, environment)
    _manage(settings, environment, "migrate", "--no-input", "--verbosity", "0")
    _say("Starting two registries, the portal and the worker …")
    sample = stack.enter_context(_start_sample_registry(settings))
    registry = stack.enter_context(_start_private_registry(settings))
    portal = stack.enter_context(_start_portal(settings, environment))
    worker = stack.enter_context(_start_worker(settings, environment))
    portal.wait_for_http(f"http://127.0.0.1:{settings.portal_port}/readyz", 60)
    _create_demo(settings, environment)
    return [postgres, valkey, sample, registry, portal, worker]


def _create_signing_keys(settings: DemoSettings, environment: dict[str, str]) -> None:
    if (settings.signing / "signing.pem").exists():
        return
    # Its output is what two variables name, so they are not set yet.
    keyless = {
        name: value
        for name, value in environment.items()
        if not name.startswith("BERTH_TOKEN_")
    }
    _manage(settings, keyless, "create_signing_keys", str(settings.signing))


def _create_demo(settings: DemoSettings, environment: dict[str, str]) -> None:
    password_file = settings.secrets / "sample-password"
    _manage(
        settings,
        environment | {"SAMPLE_PASSWORD_FILE": str(password_file)},
        "create_demo",
        *("--sample-endpoint", settings.sample_host),
        *("--sample-username", SAMPLE_USER),
        *("--output", str(settings.facts)),
    )


def _manage(settings: DemoSettings, environment: dict[str, str], *args: str) -> None:
    with ManagedProcess(
        [sys.executable, "manage.py", *args],
        name=f"manage.py {args[0]}",
        log=settings.logs / "manage.log",
        env=environment,
        cwd=PROJECT,
    ) as process:
        process.wait_for_success(300)


def _start_sample_registry(settings: DemoSettings) -> ManagedProcess:
    password = kept_secret(
        settings.secrets / "sample-password", lambda: secrets.token_urlsafe(24)
    )
    auth = (SAMPLE_USER, password)
    process = start_registry(
        settings.directory / "sample-registry",
        settings.sample_port,
        name="The sample registry",
        htpasswd=auth,
    )
    try:
        _push_sample(f"http://127.0.0.1:{settings.sample_port}", auth)
    except BaseException:
        process.stop()
        raise
    return process


def _push_sample(url: str, auth: tuple[str, str]) -> None:
    if manifest_exists(url, SAMPLE_REPOSITORY, SAMPLE_TAG, auth=auth):
        return
    greeting = b"This private image was pulled through Berth.\n"
    layer = tar_layer({"greeting.txt": greeting})
    images = [
        push_image(
            url, SAMPLE_REPOSITORY, None, auth=auth, layers=[layer], platform=name
        )
        for name in ("linux/amd64", "linux/arm64")
    ]
    push_index(url, SAMPLE_REPOSITORY, SAMPLE_TAG, auth=auth, images=images)


def _start_private_registry(settings: DemoSettings) -> ManagedProcess:
    return start_registry(
        settings.directory / "private-registry",
        settings.registry_port,
        name="The private registry",
        token=TokenAuth(
            realm=f"http://{settings.portal_host}/v2/token",
            service=REGISTRY_SERVICE,
            issuer="berth",
            root_bundle=settings.signing / "root.crt",
        ),
    )


def _start_portal(
    settings: DemoSettings, environment: dict[str, str]
) -> ManagedProcess:
    return ManagedProcess(
        [
            *(sys.executable, "-m", "uvicorn", "portal.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(settings.portal_port)),
            *("--no-access-log", "--no-server-header"),
            # Berth has its own setting for whose forwarding headers to believe.
            "--no-proxy-headers",
            *("--timeout-graceful-shutdown", "5"),
        ],
        name="The portal",
        log=settings.logs / "portal.log",
        env=environment,
        cwd=PROJECT,
    )


def _start_worker(
    settings: DemoSettings, environment: dict[str, str]
) -> ManagedProcess:
    return ManagedProcess(
        [
            *(sys.executable, "-m", "celery", "-A", "portal.celery:app"),
            *("worker", "--beat", "--concurrency", "2", "--loglevel", "INFO"),
            *("--schedule", str(settings.directory / "beat-schedule")),
        ],
        name="The worker",
        log=settings.logs / "worker.log",
        env=environment,
        cwd=PROJECT,
    )


def _read_facts(path: Path) -> dict[str, str]:
    words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    pairs = (word.partition("=") for word in words if word != "export")
    return {name: value for name, equals, value in pairs if equals}


def _watch(processes: list[ManagedProcess]) -> None:
    while True:
        for process in processes:
            if process.exit_code is not None:
                raise process.failure(f"ended with exit code {process.exit_code}")
        time.sleep(0.5)


def _ignore_signals() -> None:
    # An impatient second Ctrl-C must not cut the stopping of the servers short.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
