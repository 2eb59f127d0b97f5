"""The portal as the Procfile starts it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import ManagedProcess, free_port
from tests.e2e.conftest import METRICS_TOKEN, PROJECT, Ports, edge_environment
from tests.support.clients.edge import EdgeClient
from tests.support.servers.canned_server import silent_server

NOTIFICATION_TOKEN = "notification-token-7c40e1"


def portal_command(port: int) -> list[str]:
    """Return the Procfile's command of the portal, with another port."""
    lines = (PROJECT / "Procfile").read_text().splitlines()
    (command,) = (
        line.removeprefix("portal: ") for line in lines if line.startswith("portal: ")
    )
    arguments = shlex.split(command)
    arguments[arguments.index("--port") + 1] = str(port)
    return [sys.executable, "-m", *arguments]


@pytest.fixture(scope="session")
def silent() -> Iterator[str]:
    """A host that accepts connections and never answers."""
    with silent_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def portal(
    django_db_setup: None, ports: Ports, logs: Path, silent: str
) -> Iterator[EdgeClient]:
    """The portal on the test database, with the Procfile's eight threads."""
    port = free_port()
    log = logs / "portal.log"
    environment = edge_environment(ports) | {
        "BERTH_INSECURE_REGISTRIES": silent,
        "BERTH_REGISTRY_NOTIFICATION_TOKEN": NOTIFICATION_TOKEN,
        "BERTH_METRICS_TOKEN": METRICS_TOKEN,
        "BERTH_UPSTREAM_READ_SECONDS": "8",
        "BERTH_REGISTRY_URL": f"http://{silent}",
        "BERTH_OIDC_ISSUER": f"http://{silent}",
        "BERTH_OIDC_CLIENT_ID": "berth",
        "BERTH_OIDC_CLIENT_SECRET": "client-secret-0b7d",
        "EMAIL_URL": f"smtp://{silent}",
    }
    with ManagedProcess(
        portal_command(port), name="portal", log=log, env=environment, cwd=PROJECT
    ) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        http = urllib3.PoolManager(retries=False, timeout=60, maxsize=50)
        yield EdgeClient(f"127.0.0.1:{port}", process, log, http)
