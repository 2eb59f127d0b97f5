"""One login's downloads leave connections to all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import free_port
from licenses.models import License
from tests.e2e.conftest import METRICS_TOKEN, Ports, edge_environment, start_edge
from tests.e2e.edge.conftest import eventually
from tests.support.clients.download import DIGEST, begin
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import HostileUpstream


@pytest.fixture
def narrow_edge(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> Iterator[EdgeClient]:
    """An edge behind a reverse proxy, with three downloads, two of them per login."""
    port = free_port()
    log = tmp_path / "edge.log"
    environment = edge_environment(ports) | {
        "BERTH_TRUSTED_PROXIES": "127.0.0.1/32",
        "BERTH_EDGE_DOWNLOADS": "3",
        "BERTH_EDGE_DOWNLOADS_PER_LOGIN": "2",
    }
    with start_edge(environment, port, log, "narrow edge") as process:
        yield EdgeClient(f"localhost:{port}", process, log)


def ask(edge: EdgeClient, vendor: Vendor, license: License) -> urllib3.BaseHTTPResponse:
    """Ask for a large blob, and read nothing but the headers."""
    name = f"proxy/{vendor.application.slug}/large/flood/{license.pk.hex}"
    token = edge.token(license.license_id.reveal(), name)
    return edge.http.request(
        "GET",
        f"http://{edge.host}/v2/{name}/blobs/{DIGEST}",
        headers={"Authorization": f"Bearer {token}"},
        preload_content=False,
    )


def refused(edge: EdgeClient, limit: str) -> float:
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    text = edge.request("GET", "/metrics", headers).body.decode()
    labels = f'{{limit="{limit}",resource="edge-downloads"}} '
    name = f"berth_share_refused_total{labels}"
    (value,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(value.removeprefix(name))


def test_downloads_are_limited_for_a_login_and_for_all(
    narrow_edge: EdgeClient, vendor: Vendor, hostile: HostileUpstream
) -> None:
    vendor.connect(hostile.endpoint, "large")
    greedy, other, third = (vendor.license() for _ in range(3))
    downloads = [begin(narrow_edge, vendor, greedy) for _ in range(2)]

    own = ask(narrow_edge, vendor, greedy)
    downloads.append(begin(narrow_edge, vendor, other))
    everybody = ask(narrow_edge, vendor, third)

    assert (own.status, own.headers["Retry-After"]) == (429, "5")
    assert own.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert (everybody.status, everybody.headers["Retry-After"]) == (503, "5")
    assert everybody.json()["errors"][0]["code"] == "UNAVAILABLE"
    assert (refused(narrow_edge, "own"), refused(narrow_edge, "all")) == (1, 1)

    for download in downloads:
        download.response.close()
    eventually(lambda: ask_again(narrow_edge, vendor, third), "still refused")


def ask_again(edge: EdgeClient, vendor: Vendor, license: License) -> bool:
    response = ask(edge, vendor, license)
    response.close()
    return response.status == 200
