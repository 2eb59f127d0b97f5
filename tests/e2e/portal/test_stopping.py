"""A portal that is asked to end serves on for a while and answers what it has begun."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import ManagedProcess, free_port
from tests.e2e.conftest import PROJECT, Ports, edge_environment
from tests.e2e.edge.conftest import eventually
from tests.e2e.portal.conftest import portal_command
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import create_vendor
from tests.support.servers.fake_registry import FakeRegistry, running_registry

LOGIN = ("sample", "upstream-password-9d2c")
DRAIN_SECONDS = 2


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """A registry that answers when the portal does not listen any more."""
    with running_registry(LOGIN) as registry:
        registry.delay_seconds = DRAIN_SECONDS + 3
        yield registry


@pytest.fixture
def stopping(
    transactional_db: None, ports: Ports, registry: FakeRegistry, tmp_path: Path
) -> Iterator[EdgeClient]:
    port, log = free_port(), tmp_path / "portal.log"
    environment = edge_environment(ports) | {
        "BERTH_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "BERTH_INSECURE_REGISTRIES": registry.endpoint,
    }
    with ManagedProcess(
        portal_command(port), name="portal", log=log, env=environment, cwd=PROJECT
    ) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        yield EdgeClient(f"127.0.0.1:{port}", process, log)


def is_refused(portal: EdgeClient) -> bool:
    try:
        # On a connection of its own: those that are open are served to their end.
        urllib3.request("GET", f"http://{portal.host}/livez", retries=False)
    except urllib3.exceptions.NewConnectionError:
        return True
    except urllib3.exceptions.HTTPError:  # it was closed in between
        return False
    return False


def test_it_is_not_ready_then_does_not_listen_then_answers_the_last_request(
    stopping: EdgeClient, registry: FakeRegistry
) -> None:
    _, secret = create_vendor().api_token(name="stopping")
    headers = {
        "Authorization": f"Bearer {secret.reveal()}",
        "Content-Type": "application/json",
    }
    body = json.dumps(
        {
            "provider": "other",
            "endpoint": registry.endpoint,
            "username": LOGIN[0],
            "secret": LOGIN[1],
        }
    ).encode()
    with ThreadPoolExecutor(1) as threads:
        path = "/api/v1/registries/test"
        begun = threads.submit(stopping.request, "POST", path, headers, body)
        eventually(lambda: bool(registry.asked), "the registry was not asked", 10)

        os.kill(stopping.process.pid, signal.SIGTERM)
        eventually(
            lambda: stopping.request("GET", "/readyz").status == 503, "still ready"
        )
        not_ready = stopping.request("GET", "/readyz")
        served = stopping.request("GET", "/api/v1/registries", headers)
        eventually(lambda: is_refused(stopping), "it still listens")
        assert not begun.done()
        answer = begun.result(20)
    eventually(lambda: stopping.process.exit_code is not None, "it did not end", 20)

    assert not_ready.json == {"status": "stopping"}
    assert not_ready.headers["Retry-After"] == "5"
    assert served.status == 200
    assert (answer.status, answer.json["outcome"]) == (200, "valid")
    assert stopping.process.exit_code == 0
