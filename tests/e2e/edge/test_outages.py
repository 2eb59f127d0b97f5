"""The edge without its database or without Redis: it fails closed, or goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from deploy.local import images
from deploy.local.process import ManagedProcess, free_port
from tests.e2e.conftest import Ports, Upstream, edge_environment, start_edge
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.forwarder import Forwarder, forwarder


@pytest.fixture
def name(connected: Vendor, basic_upstream: Upstream) -> str:
    images.push_image(
        basic_upstream.url,
        "my-org/outage",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a"})],
    )
    return f"proxy/{connected.application.slug}/sample/my-org/outage"


@pytest.fixture
def line(transactional_db: None) -> Iterator[Forwarder]:
    """The line between an edge and its database."""
    database = connection.settings_dict
    with forwarder(database["HOST"], int(database["PORT"])) as running:
        yield running


def other_edge(
    ports: Ports, directory: Path, changes: dict[str, str]
) -> tuple[ManagedProcess, EdgeClient]:
    port = free_port()
    log = directory / "edge.log"
    process = start_edge(edge_environment(ports) | changes, port, log, "other edge")
    return process, EdgeClient(f"localhost:{port}", process, log)


@pytest.mark.expected_traceback(
    "OperationalError: (couldn't get a connection|PostgreSQL did not answer)"
)
def test_without_its_database_nothing_is_allowed(
    ports: Ports, connected: Vendor, name: str, line: Forwarder, tmp_path: Path
) -> None:
    database = connection.settings_dict
    url = edge_environment(ports)["DATABASE_URL"].replace(
        f":{database['PORT']}/", f":{line.port}/"
    )
    license_id = connected.license().license_id.reveal()
    process, edge = other_edge(ports, tmp_path, {"DATABASE_URL": url})
    with process:
        token = edge.token(license_id, name)
        assert edge.get(name, "manifests/v1", token).status == 200

        line.cut()
        time.sleep(1)
        # At the same time, because the longer the line is cut, the less often the pool
        # of connections tries it.
        with ThreadPoolExecutor() as threads:
            asked = threads.submit(edge.get, name, "manifests/v1", token)
            not_ready = edge.request("GET", "/readyz")
            refused = asked.result()
        line.restore()
        deadline = time.monotonic() + 30
        while (allowed := edge.get(name, "manifests/v1", token)).status == 503:
            assert time.monotonic() < deadline, "the database was not found again"
            time.sleep(0.5)

    assert (refused.status, refused.error[0]) == (503, "UNAVAILABLE")
    assert refused.headers["Retry-After"] == "5"
    assert (not_ready.status, not_ready.json["checks"]["database"]) == (503, False)
    assert allowed.status == 200


def test_without_redis_pulls_go_on_and_guesses_are_still_limited(
    ports: Ports, connected: Vendor, name: str, tmp_path: Path
) -> None:
    license_id = connected.license().license_id.reveal()
    process, edge = other_edge(
        ports,
        tmp_path,
        {
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
            "BERTH_TOKEN_FAILURES_PER_MINUTE": "3",
        },
    )
    with process:
        token = edge.token(license_id, name)
        assert edge.get(name, "manifests/v1", token).status == 200
        statuses = [edge.token_answer(("x", "2" * 27)).status for _ in range(8)]

    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 8
    assert statuses[-1] == 429


def test_an_edge_without_signing_keys_does_not_start(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> None:
    from deploy.local.process import LocalStackError

    with pytest.raises(LocalStackError, match="create_signing_keys writes them"):
        other_edge(ports, tmp_path, {"BERTH_TOKEN_SIGNING_KEY": ""})
