"""All of Berth and two registries, as processes of this machine."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.demo_settings import (
    PROJECT,
    REGISTRY_SERVICE,
    DemoSettings,
    portal_environment,
)
from deploy.local.images import manifest_exists, push_image, push_index, tar_layer
from deploy.local.postgres import start_postgres
from deploy.local.private_files import kept_secret, private_directory
from deploy.local.process import ManagedProcess
from deploy.local.registry import TokenAuth, start_registry
from deploy.local.valkey import start_valkey
from images.distribution_config import Notifications

SAMPLE_USER = "sample"
SAMPLE_REPOSITORY = "my-org/api"
SAMPLE_TAG = "v1.0.1"


@dataclass(frozen=True, slots=True)
class Servers:
    """PostgreSQL, Valkey, and the environment of processes that use them."""

    database_url: str
    redis_url: str
    environment: dict[str, str]
    processes: list[ManagedProcess] = field(default_factory=list)


def start_servers(
    settings: DemoSettings, stack: ExitStack, *, durable: bool = True
) -> Servers:
    """Start PostgreSQL and Valkey, and create the keys.

    Raises:
        LocalStackError: a server did not start; ``stack`` stops the others.
    """
    directory = settings.directory
    postgres, database_url = start_postgres(
        private_directory(directory / "postgres") / "data", durable=durable
    )
    stack.enter_context(postgres)
    valkey, redis_url = start_valkey(directory / "valkey", durable=durable)
    stack.enter_context(valkey)
    environment = portal_environment(
        settings, database_url=database_url, redis_url=redis_url
    )
    return Servers(database_url, redis_url, environment, [postgres, valkey])


def start_registries(
    settings: DemoSettings, stack: ExitStack, *, portal_port: int | None = None
) -> list[ManagedProcess]:
    """Start the sample registry, with its image, and the private registry.

    ``portal_port`` is for a portal that does not share the edge's port.

    Raises:
        LocalStackError: a registry did not start; ``stack`` stops the other.
    """
    auth = (SAMPLE_USER, sample_password(settings))
    sample = start_registry(
        settings.directory / "sample-registry",
        settings.sample_port,
        name="The sample registry",
        htpasswd=auth,
    )
    stack.enter_context(sample)
    _push_sample(f"http://127.0.0.1:{settings.sample_port}", auth)
    port = portal_port or settings.portal_port
    private = stack.enter_context(_start_private_registry(settings, port))
    return [sample, private]


def prepare(
    settings: DemoSettings, environment: dict[str, str], *commands: list[str]
) -> None:
    """Build the guide, migrate, collect static files, run management ``commands``.

    Raises:
        LocalStackError: a command failed; the message ends with its output.
    """
    _build_guide(settings)
    quiet = ["--no-input", "--verbosity", "0"]
    everything = [["migrate", *quiet], ["collectstatic", "--clear", *quiet], *commands]
    with ManagedProcess(
        [sys.executable, "-m", "deploy.local.commands", json.dumps(everything)],
        name="Preparing Berth",
        log=settings.logs / "manage.log",
        env=environment,
        cwd=PROJECT,
    ) as process:
        process.wait_for_success(300)


def build_installer(directory: Path, log: Path) -> Path:
    """Build the installer's wheel from this source, alone in ``directory``.

    The same source gives the same bytes, wherever and whenever it is built.

    Raises:
        LocalStackError: it cannot be built; the message ends with what was printed.
    """
    shutil.rmtree(directory, ignore_errors=True)
    with ManagedProcess(
        [
            *(sys.executable, "-m", "hatchling", "build"),
            *("--target", "wheel", "--directory", str(directory)),
        ],
        name="Building the installer",
        log=log,
        cwd=PROJECT / "installer",
    ) as process:
        process.wait_for_success(60)
    (wheel,) = directory.glob("*.whl")
    return wheel


def _build_guide(settings: DemoSettings) -> None:
    with ManagedProcess(
        [
            *(sys.executable, "-m", "properdocs", "build", "--strict"),
            *("--config-file", str(PROJECT / "docs/guide-site/properdocs.yml")),
            *("--site-dir", str(settings.guide)),
        ],
        name="Building the guide",
        log=settings.logs / "guide.log",
        env=dict(os.environ),
        cwd=PROJECT,
    ) as process:
        process.wait_for_success(60)


def start_berth(
    settings: DemoSettings,
    environment: dict[str, str],
    stack: ExitStack,
    *,
    celery_app: str = "portal.celery:app",
) -> list[ManagedProcess]:
    """Start the worker, and the portal with the edge.

    Raises:
        LocalStackError: the portal did not start; ``stack`` stops the worker.
    """
    portal = stack.enter_context(start_portal(settings, environment))
    worker = stack.enter_context(_start_worker(settings, environment, celery_app))
    portal.wait_for_http(f"http://127.0.0.1:{settings.portal_port}/readyz", 60)
    return [portal, worker]


def start_portal(settings: DemoSettings, environment: dict[str, str]) -> ManagedProcess:
    """Start the portal and the edge on one port; they answer a moment later."""
    return ManagedProcess(
        [
            *(sys.executable, "-m", "uvicorn", "portal.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(settings.portal_port)),
            *("--no-access-log", "--no-server-header"),
            # BERTH_TRUSTED_PROXIES says whose forwarding headers to trust.
            "--no-proxy-headers",
            *("--timeout-graceful-shutdown", "5"),
        ],
        name="The portal",
        log=settings.logs / "portal.log",
        env=environment,
        cwd=PROJECT,
    )


def sample_password(settings: DemoSettings) -> str:
    """Return the password of the sample registry."""
    return kept_secret(settings.sample_password, lambda: secrets.token_urlsafe(24))


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


def _start_private_registry(settings: DemoSettings, port: int) -> ManagedProcess:
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
        notifications=Notifications(
            f"http://127.0.0.1:{port}/registry-notifications",
            settings.notification_token.read_text(encoding="utf-8"),
        ),
    )


def _start_worker(
    settings: DemoSettings, environment: dict[str, str], celery_app: str
) -> ManagedProcess:
    return ManagedProcess(
        [
            *(sys.executable, "-m", "celery", "-A", celery_app),
            *("worker", "--beat", "--concurrency", "2"),
        ],
        name="The worker",
        log=settings.logs / "worker.log",
        env=environment,
        cwd=PROJECT,
    )
