"""The proxy behind nginx, which serves the disk cache itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local.nginx import NginxPorts, cache_directory, pull_log, start_nginx
from deploy.local.process import free_port
from licenses.models import License
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.certificates import Authority
from tests.support.servers.hostile_upstream import SMALL, HostileUpstream
from tests.support.stacks.disk_cache import put_blob

# What the upstream has under SMALL_DIGEST, and under tags.
MISS = SMALL
# The most that one edge remembers of decisions, and nginx.
REMEMBERED_SECONDS = 0.8


@dataclass
class DataPlane:
    """nginx and its edge, and the files of both."""

    client: EdgeClient
    edge: EdgeClient
    cache: Path
    pulls: Path
    tls: str
    authority: Path

    def pulled(self, name: str, count: int = 0) -> list[dict[str, Any]]:
        """Return the lines of one repository in nginx's log, once there are so many.

        nginx writes a line after the client has the answer.
        """
        deadline = time.monotonic() + 5
        while len(lines := self._pulled(name)) < count:
            assert time.monotonic() < deadline, "the log has too few lines"
            time.sleep(0.05)
        return lines

    def _pulled(self, name: str) -> list[dict[str, Any]]:
        lines = self.pulls.read_text().splitlines()
        return [item for item in map(json.loads, lines) if item["name"] == name]

    def asked(self, path: str) -> int:
        """Return how often the edge was asked for a path, its query aside."""
        log = self.edge.log.read_text()
        return sum(log.count(f" {path}{end}") for end in (" HTTP", "?"))

    def place(self, name: str, token: str) -> str:
        """Return where the objects are that a token may read."""
        answer = self.edge.request(
            "GET",
            "/v2/_pull",
            {"Authorization": f"Bearer {token}", "X-Berth-Name": name},
        )
        assert answer.status == 200
        return str(answer.headers["X-Berth-Place"])


@dataclass
class Puller:
    """A customer who pulls one repository of a vendor's registry."""

    plane: DataPlane
    license: License
    name: str
    token: str

    @property
    def place(self) -> str:
        return self.plane.place(self.name, self.token)

    def keep(self, content: bytes) -> str:
        """Put a blob into the disk cache; return its digest."""
        return put_blob(self.plane.cache, self.place, content)

    def get(
        self, rest: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> Answer:
        return self.plane.client.get(
            self.name, rest, self.token, method=method, headers=headers
        )

    def path(self, rest: str) -> str:
        return f"/v2/{self.name}/{rest}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def in_front_of(
    edge: EdgeClient,
    directory: Path,
    command: Sequence[str] = (),
    other_edge: int = 0,
) -> Iterator[DataPlane]:
    """Start nginx in front of an edge, and of another on a port."""
    directory.mkdir(exist_ok=True)
    authority = Authority(directory)
    (directory / "ca.crt").write_text(authority.pem)
    ports = NginxPorts(
        **{name: free_port() for name in ("portal", "proxy", "registry")},
        registry_tls=free_port(),
        behind_portal=free_port(),
        behind_edge=int(edge.host.partition(":")[2]),
        behind_registry=free_port(),
        proxy_tls=free_port(),
        other_edge=other_edge,
    )
    certificate = authority.issue("localhost")
    with start_nginx(directory, ports, certificate, "/", command) as nginx:
        yield DataPlane(
            EdgeClient(f"localhost:{ports.proxy}", nginx, nginx.log),
            edge,
            cache_directory(directory),
            pull_log(directory),
            f"localhost:{ports.proxy_tls}",
            directory / "ca.crt",
        )


@pytest.fixture(scope="session")
def plane(
    edge: EdgeClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DataPlane]:
    with in_front_of(edge, tmp_path_factory.mktemp("data-plane") / "nginx") as plane:
        yield plane


@pytest.fixture
def own_plane(own_edge: EdgeClient, tmp_path: Path) -> Iterator[DataPlane]:
    """One whose edge may be stopped."""
    with in_front_of(own_edge, tmp_path / "nginx") as plane:
        yield plane


def puller_of(
    plane: DataPlane, vendor: Vendor, repository: str = "small/app"
) -> Puller:
    license = vendor.license()
    name = f"proxy/{vendor.application.slug}/counting/{repository}"
    token = plane.client.token(license.license_id.reveal(), name)
    return Puller(plane, license, name, token)


@pytest.fixture
def upstream(hostile: HostileUpstream) -> HostileUpstream:
    hostile.requests.clear()
    hostile.blobs.clear()
    return hostile


@pytest.fixture
def counted(vendor: Vendor, upstream: HostileUpstream) -> Vendor:
    """A vendor whose registry counts requests and has the same under every name."""
    vendor.connect(upstream.endpoint, "counting")
    return vendor


@pytest.fixture
def puller(plane: DataPlane, counted: Vendor) -> Puller:
    return puller_of(plane, counted)
