"""Behind nginx, with a disk cache, copies show as so many pulls too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.nginx import cache_directory, pull_log
from deploy.local.process import ManagedProcess, free_port
from registries.models import CacheUse, LicenseTraffic
from tests.e2e.clients.test_counted_pulls import (
    CLIENTS,
    CONTENT_BYTES,
    counted,
    push_index,
)
from tests.e2e.conftest import PROJECT, Ports, Upstream, edge_environment, start_edge
from tests.e2e.data_plane.conftest import DataPlane, in_front_of
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor

COPIES = 3

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)


@pytest.fixture
def whole_plane(
    transactional_db: None, ports: Ports, tmp_path: Path
) -> Iterator[DataPlane]:
    """nginx, an edge and a cache manager, as in production.

    Of one test, because the next one has emptied the database.
    """
    directory, port = tmp_path / "nginx", free_port()
    environment = edge_environment(ports) | {
        "BERTH_CACHE_DIR": str(cache_directory(directory)),
        "BERTH_CACHE_MIN_FREE_BYTES": "0",
        "BERTH_PULL_LOG": str(pull_log(directory)),
    }
    log = tmp_path / "edge.log"
    with (
        start_edge(environment, port, log) as edge,
        in_front_of(EdgeClient(f"localhost:{port}", edge, log), directory) as plane,
        ManagedProcess(
            [sys.executable, "manage.py", "cache_manager"],
            name="cache manager",
            log=tmp_path / "manager.log",
            env=environment,
            cwd=PROJECT,
        ),
    ):
        yield plane


@pytest.mark.parametrize("client", CLIENTS)
def test_copies_show_as_so_many_pulls(
    engines: Path,
    whole_plane: DataPlane,
    connected: Vendor,
    basic_upstream: Upstream,
    client: str,
) -> None:
    repository = f"behind/{connected.team.slug}"
    host = whole_plane.client.host
    image = f"{host}/proxy/{connected.application.slug}/sample/{repository}:v1"
    license = connected.license()

    for _ in range(COPIES):
        push_index(basic_upstream, repository)
        # Twice the same: what is fetched first, and what is in the cache by then.
        for pull in (CLIENTS[client], CLIENTS["skopeo"]):
            pulled = pull(engines, image, license.license_id.reveal())
            assert pulled.returncode == 0, pulled.stderr

    assert counted(connected, 2 * COPIES) == [("v1", "allowed", 2 * COPIES)]
    traffic = LicenseTraffic.objects.get(license=license)
    assert traffic.bytes > 2 * COPIES * CONTENT_BYTES
    use = CacheUse.objects.for_team(connected.team.pk).get()
    assert use.hits > 0
    assert use.misses > 0
    assert use.bytes > COPIES * CONTENT_BYTES
