"""An edge that is asked to end serves on, finishes pulls and counts them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
from django.db import connection
from django.db.models import Sum

from deploy.local.process import free_port
from licenses.models import License
from registries.models import LicenseTraffic, PullEvent
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import EdgeClient
from tests.support.objects.object_registry import PIECE, ObjectRegistry
from tests.support.rows.vendor import Vendor
from tests.support.servers.forwarder import forwarder

REPOSITORY = "my-org/stopping"
MANIFEST = b'{"schemaVersion":2,"config":{},"layers":[]}'
BLOB = os.urandom(8 * PIECE)


@dataclass
class Pull:
    """A customer, and the blob that is on its way to them."""

    edge: EdgeClient
    license: License
    name: str
    digest: str

    @property
    def token(self) -> str:
        return self.edge.token(self.license.license_id.reveal(), self.name)

    def manifest_status(self, token: str) -> int:
        return self.edge.get(self.name, "manifests/v1", token).status

    def begin(self, token: str) -> urllib3.BaseHTTPResponse:
        """Begin to pull the blob, and read a part of it."""
        response = self.edge.http.request(
            "GET",
            f"http://{self.edge.host}/v2/{self.name}/blobs/{self.digest}",
            headers={"Authorization": f"Bearer {token}"},
            preload_content=False,
        )
        assert len(response.read(PIECE)) == PIECE
        return response

    def pulls(self) -> int:
        events = PullEvent.objects.filter(license_id=self.license.pk)
        return events.aggregate(number=Sum("count"))["number"] or 0

    def bytes_sent(self) -> int:
        days = LicenseTraffic.objects.filter(license_id=self.license.pk)
        return days.aggregate(number=Sum("bytes"))["number"] or 0


@pytest.fixture
def digest(vendor: Vendor, origin: ObjectRegistry) -> str:
    vendor.connect(origin.endpoint, "origin")
    origin.tag(REPOSITORY, "v1", MANIFEST)
    origin.pause_after = 3 * PIECE
    return origin.add(REPOSITORY, BLOB)


@contextmanager
def stopping_edge(
    ports: Ports, vendor: Vendor, digest: str, log: Path, **environment: str
) -> Iterator[Pull]:
    port = free_port()
    settings = edge_environment(ports) | environment
    with start_edge(settings, port, log, "stopping edge") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)
        name = f"proxy/{vendor.application.slug}/origin/{REPOSITORY}"
        yield Pull(edge, vendor.license(), name, digest)


def is_refused(edge: EdgeClient) -> bool:
    try:
        edge.request("GET", "/livez")
    except urllib3.exceptions.NewConnectionError:
        return True
    except urllib3.exceptions.HTTPError:  # it was closed in between
        return False
    return False


def has_ended(pull: Pull) -> bool:
    return pull.edge.process.exit_code is not None


def test_it_is_not_ready_then_does_not_listen_then_finishes_and_counts(
    ports: Ports, vendor: Vendor, digest: str, origin: ObjectRegistry, tmp_path: Path
) -> None:
    log = tmp_path / "edge.log"
    with stopping_edge(ports, vendor, digest, log, BERTH_DRAIN_SECONDS="2") as pull:
        token = pull.token
        assert pull.edge.request("GET", "/readyz").status == 200
        begun = pull.begin(token)

        os.kill(pull.edge.process.pid, signal.SIGTERM)
        eventually(
            lambda: pull.edge.request("GET", "/readyz").status == 503, "still ready"
        )
        not_ready = pull.edge.request("GET", "/readyz")
        # A second one, as from a supervisor of the whole group, changes nothing.
        os.kill(pull.edge.process.pid, signal.SIGTERM)
        served = pull.edge.get(pull.name, "manifests/v1", token)
        logged_in = pull.token

        eventually(lambda: is_refused(pull.edge), "it still listens")
        assert not has_ended(pull)
        origin.go.set()
        rest = begun.read()
        eventually(lambda: has_ended(pull), "it did not end", 15)

    assert not_ready.json == {"status": "stopping"}
    assert (served.status, served.headers["Connection"]) == (200, "close")
    assert logged_in
    assert len(rest) == len(BLOB) - PIECE
    assert rest == BLOB[PIECE:]
    assert pull.edge.process.exit_code == 0
    assert pull.pulls() == 1
    assert pull.bytes_sent() == len(BLOB) + len(MANIFEST)


def test_a_pull_that_does_not_finish_in_time_is_cut_off_and_counted(
    ports: Ports, vendor: Vendor, digest: str, tmp_path: Path
) -> None:
    log = tmp_path / "edge.log"
    with stopping_edge(
        ports, vendor, digest, log, UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN="1"
    ) as pull:
        token = pull.token
        assert pull.manifest_status(token) == 200
        begun = pull.begin(token)

        os.kill(pull.edge.process.pid, signal.SIGTERM)
        with pytest.raises(urllib3.exceptions.HTTPError):
            begun.read()
        eventually(lambda: has_ended(pull), "it did not end", 15)

    assert "An answer was cut off" in log.read_text()
    assert pull.pulls() == 1
    assert len(MANIFEST) + PIECE <= pull.bytes_sent() <= len(MANIFEST) + 3 * PIECE


@pytest.mark.expected_traceback(
    "OperationalError: (couldn't get a connection|PostgreSQL did not answer)"
)
def test_counts_wait_for_a_database_that_is_away_meanwhile(
    ports: Ports, vendor: Vendor, digest: str, tmp_path: Path
) -> None:
    database = connection.settings_dict
    log = tmp_path / "edge.log"
    with forwarder(database["HOST"], int(database["PORT"])) as line:
        url = edge_environment(ports)["DATABASE_URL"].replace(
            f":{database['PORT']}/", f":{line.port}/"
        )
        with stopping_edge(ports, vendor, digest, log, DATABASE_URL=url) as pull:
            assert pull.manifest_status(pull.token) == 200
            line.cut()

            os.kill(pull.edge.process.pid, signal.SIGTERM)
            eventually(lambda: "could not be counted" in log.read_text(), "no try", 10)
            assert not has_ended(pull)
            line.restore()
            eventually(lambda: has_ended(pull), "it did not end", 20)

    assert pull.pulls() == 1
    assert pull.bytes_sent() == len(MANIFEST)


def test_a_kill_loses_what_was_under_way_and_nothing_that_was_written(
    ports: Ports, vendor: Vendor, digest: str, origin: ObjectRegistry, tmp_path: Path
) -> None:
    with stopping_edge(ports, vendor, digest, tmp_path / "edge.log") as pull:
        token = pull.token
        assert pull.manifest_status(token) == 200
        eventually(lambda: pull.pulls() == 1, "it was not counted", 10)
        begun = pull.begin(token)

        os.kill(pull.edge.process.pid, signal.SIGKILL)
        with pytest.raises(urllib3.exceptions.HTTPError):
            begun.read()

    origin.reset_pace()
    with stopping_edge(ports, vendor, digest, tmp_path / "edge2.log") as other:
        # The token of the first one is as good here.
        again = other.edge.get(pull.name, f"blobs/{digest}", token)

    assert (again.status, again.body) == (200, BLOB)
    assert pull.pulls() == 1
    assert pull.bytes_sent() == len(MANIFEST) + len(BLOB)
