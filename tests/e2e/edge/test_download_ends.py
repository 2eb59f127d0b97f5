"""A download under way ends soon after the right to it does.

The edge decides again every five seconds while it streams a blob.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from deploy.local.process import free_port
from licenses.models import License
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.support.clients.download import SOON, begin
from tests.support.clients.edge import EdgeClient
from tests.support.rows.ending import WAYS_TO_END, revoke
from tests.support.rows.vendor import Vendor
from tests.support.servers.forwarder import forwarder
from tests.support.servers.hostile_upstream import HostileUpstream


@pytest.fixture
def large(vendor: Vendor, hostile: HostileUpstream) -> Iterator[Vendor]:
    """A vendor whose registry has a blob of one GiB."""
    vendor.connect(hostile.endpoint, "large")
    yield vendor
    deadline = time.monotonic() + SOON
    while hostile.answering:
        assert time.monotonic() < deadline, "a connection was left open"
        time.sleep(0.05)


@pytest.mark.parametrize("end", WAYS_TO_END)
def test_a_download_under_way_breaks_off(
    edge: EdgeClient, large: Vendor, end: Callable[[Vendor, License], None]
) -> None:
    license = large.license()
    download = begin(edge, large, license)
    download.read_for(0.5)

    end(large, license)

    assert download.seconds_until_it_breaks_off() < SOON


def test_others_go_on(edge: EdgeClient, large: Vendor) -> None:
    revoked, kept = large.license(), large.license()
    ending, lasting = begin(edge, large, revoked), begin(edge, large, kept)

    revoke(large, revoked)

    ending.seconds_until_it_breaks_off()
    lasting.read_for(1)
    lasting.response.close()


def test_a_client_that_reads_nothing_is_disconnected(
    edge: EdgeClient, large: Vendor, hostile: HostileUpstream
) -> None:
    license = large.license()
    download = begin(edge, large, license)
    time.sleep(1)
    assert hostile.answering

    revoke(large, license)
    deadline = time.monotonic() + SOON
    while hostile.answering:
        assert time.monotonic() < deadline, "the upstream is still open"
        time.sleep(0.1)

    download.response.close()


def test_a_short_outage_of_the_database_does_not_end_it(
    ports: Ports, large: Vendor, tmp_path: Path
) -> None:
    database = connection.settings_dict
    license, port = large.license(), free_port()
    with forwarder(database["HOST"], int(database["PORT"])) as line:
        environment = edge_environment(ports)
        environment["DATABASE_URL"] = environment["DATABASE_URL"].replace(
            f":{database['PORT']}/", f":{line.port}/"
        )
        log = tmp_path / "edge.log"
        with start_edge(environment, port, log, "other edge") as process:
            edge = EdgeClient(f"localhost:{port}", process, log)
            download = begin(edge, large, license)
            line.cut()
            # A decision is due after five seconds, and given up after five more.
            download.read_for(13)
            assert "A download could not be decided again" in log.read_text()
            line.restore()

            revoke(large, license)

            assert download.seconds_until_it_breaks_off() < SOON
