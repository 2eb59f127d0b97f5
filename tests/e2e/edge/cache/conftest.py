from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import free_port
from licenses.models import License
from registries.models import ExternalRegistry
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.objects.object_registry import ObjectRegistry
from tests.support.rows.vendor import Vendor

REPOSITORY = "org/api"
STALE_SECONDS = 4


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def cache_environment(
    django_db_setup: None, ports: Ports, cache_dir: Path
) -> dict[str, str]:
    return edge_environment(ports) | {
        "BERTH_CACHE_DIR": str(cache_dir),
        "BERTH_CACHE_MIN_FREE_BYTES": "0",
        "BERTH_STALE_TAG_SECONDS": str(STALE_SECONDS),
        "BERTH_UPSTREAM_CONNECT_SECONDS": "2",
        "BERTH_UPSTREAM_READ_SECONDS": "10",
    }


@pytest.fixture(scope="session")
def cached_edge(cache_environment: dict[str, str], logs: Path) -> Iterator[EdgeClient]:
    """An edge with a disk cache."""
    port, log = free_port(), logs / "cached-edge.log"
    with start_edge(cache_environment, port, log, "cached edge") as process:
        yield EdgeClient(f"localhost:{port}", process, log)


@dataclass
class Customer:
    """A license of a vendor, pulling one repository through an edge with a cache."""

    edge: EdgeClient
    vendor: Vendor
    root: Path
    slug: str = "origin"
    repository: str = REPOSITORY
    license: License = field(init=False)

    def __post_init__(self) -> None:
        self.license = self.vendor.license()
        self.log_in()

    def log_in(self) -> None:
        """Get another token, so that no decision is remembered for it."""
        self.token = self.edge.token(self.license.license_id.reveal(), self.name)

    @property
    def name(self) -> str:
        return f"proxy/{self.vendor.application.slug}/{self.slug}/{self.repository}"

    def get(self, rest: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.edge.get(self.name, rest, self.token, method=method, headers=named)

    def blob(self, digest: str, **headers: str) -> Answer:
        return self.get(f"blobs/{digest}", **headers)

    def open(self, rest: str) -> urllib3.BaseHTTPResponse:
        return self.edge.http.request(
            "GET",
            f"http://{self.edge.host}/v2/{self.name}/{rest}",
            headers={"Authorization": f"Bearer {self.token}"},
            preload_content=False,
        )

    @property
    def kept(self) -> list[Path]:
        """Return the objects on disk of the vendor's registries."""
        return self._files("objects", "large")

    def is_kept(self, digest: str) -> bool:
        return any(path.name.startswith(digest) for path in self.kept)

    def until_kept(self, digest: str) -> None:
        """Wait until an object has its name, which clients do not wait for."""
        eventually(lambda: self.is_kept(digest), f"{digest} is not kept", 30)

    def until_tagged(self, digest: str) -> None:
        """Wait until the record of a tag names a digest."""

        def is_tagged() -> bool:
            return any(digest in path.read_text() for path in self._files("tags"))

        eventually(is_tagged, f"no tag is {digest}", 30)

    def until_confirmed(self) -> None:
        """Wait until what was confirmed is kept, which follows the answer."""

        def is_confirmed() -> bool:
            records = [json.loads(path.read_text()) for path in self._files("tags")]
            return all(time.time() - record["verified_at"] < 60 for record in records)

        eventually(is_confirmed, "a tag's confirmation is not kept", 30)

    def age_tags(self, seconds: float) -> None:
        """Put the last confirmation of each tag further back."""
        for path in self._files("tags"):
            record = json.loads(path.read_text())
            record["verified_at"] -= seconds
            path.write_text(json.dumps(record))

    def _files(self, *tops: str) -> list[Path]:
        registries = ExternalRegistry.objects.for_team(self.vendor.team.pk)
        places = [self.root / top / str(item.pk) for top in tops for item in registries]
        files = (path for place in places for path in place.rglob("*"))
        return sorted(path for path in files if path.is_file())


@pytest.fixture
def customer(
    cached_edge: EdgeClient, vendor: Vendor, origin: ObjectRegistry, cache_dir: Path
) -> Customer:
    """A customer of a vendor whose registry is ``origin``."""
    vendor.connect(origin.endpoint, "origin")
    return Customer(cached_edge, vendor, cache_dir)
