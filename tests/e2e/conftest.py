"""Real processes: registries of Debian's package, and the edge under uvicorn."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection

from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import TokenAuth, start_registry
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.hostile_upstream import HostileUpstream, hostile_upstream

PROJECT = Path(__file__).resolve().parents[2]
UPSTREAM_LOGIN = ("sample", "upstream-password-9d2c")
METRICS_TOKEN = "metrics-token-for-the-edge-5d1c9a"
SIZE_LIMIT = 32 * 2**20


@dataclass
class Upstream:
    """A registry that the tests push to and Berth pulls from."""

    endpoint: str
    log: Path
    login: tuple[str, str] | None

    @property
    def url(self) -> str:
        return f"http://{self.endpoint}"


@dataclass
class Ports:
    edge: int
    strict_edge: int
    basic: int
    bearer: int
    hostile: int
    elsewhere: int
    referrers: int
    origin: int

    @property
    def insecure(self) -> str:
        ports = (
            *(self.basic, self.bearer, self.hostile, self.elsewhere),
            *(self.referrers, self.origin),
        )
        names = [f"localhost:{port}" for port in ports]
        return ",".join(names + [f"127.0.0.1:{port}" for port in ports])


@pytest.fixture(scope="session")
def ports() -> Ports:
    return Ports(*(free_port() for _ in range(8)))


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def basic_upstream(
    ports: Ports, logs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upstream]:
    """A registry behind htpasswd."""
    data = tmp_path_factory.mktemp("basic")
    with start_registry(data, ports.basic, htpasswd=UPSTREAM_LOGIN) as process:
        yield Upstream(f"localhost:{ports.basic}", process.log, UPSTREAM_LOGIN)


@pytest.fixture(scope="session")
def bearer_upstream(
    ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upstream]:
    """A registry whose token server is Berth itself."""
    data = tmp_path_factory.mktemp("bearer")
    roots = data / "roots.crt"
    roots.write_text(os.environ["BERTH_TOKEN_ROOTS"])
    token = TokenAuth(
        realm=f"http://localhost:{ports.edge}/v2/token",
        service="berth-registry",
        issuer="berth",
        root_bundle=roots,
    )
    with start_registry(data / "data", ports.bearer, token=token) as process:
        yield Upstream(f"localhost:{ports.bearer}", process.log, None)


@pytest.fixture(scope="session")
def elsewhere(ports: Ports) -> Iterator[HostileUpstream]:
    """A host that hostile registries send the edge to."""
    with hostile_upstream(ports.elsewhere) as state:
        yield state


@pytest.fixture(scope="session")
def hostile(ports: Ports, elsewhere: HostileUpstream) -> Iterator[HostileUpstream]:
    with hostile_upstream(ports.hostile, elsewhere=elsewhere.endpoint) as state:
        yield state


def edge_environment(ports: Ports) -> dict[str, str]:
    """Return the environment of an edge on this worker's test database."""
    database = connection.settings_dict
    return os.environ | {
        "DATABASE_URL": (
            f"postgresql://{database['USER']}:{database['PASSWORD']}"
            f"@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        ),
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        # One address of the loopback network, so that the others are off limits.
        "BERTH_ALLOWED_PRIVATE_NETWORKS": "127.0.0.1/32",
        "BERTH_INSECURE_REGISTRIES": ports.insecure,
        "BERTH_TOKEN_REQUESTS_PER_MINUTE": "100000",
        "BERTH_TOKEN_FAILURES_PER_MINUTE": "100000",
        "BERTH_METRICS_TOKEN": METRICS_TOKEN,
        # The nginx of some tests, and every client.
        "BERTH_TRUSTED_PROXIES": "127.0.0.1/32",
        "PYTHONWARNINGS": "default",
    }


def start_edge(
    environment: dict[str, str], port: int, log: Path, name: str = "edge"
) -> ManagedProcess:
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "uvicorn", "edge.app:app"),
            *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "on"),
            *("--http", "edge.connections:LimitedConnection", "--no-proxy-headers"),
        ],
        name=name,
        log=log,
        env=environment,
        cwd=PROJECT,
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 30)
    return process


@pytest.fixture(scope="session")
def edge(django_db_setup: None, ports: Ports, logs: Path) -> Iterator[EdgeClient]:
    """The edge as it runs in production, on the test database."""
    log = logs / "edge.log"
    with start_edge(edge_environment(ports), ports.edge, log) as process:
        yield EdgeClient(f"localhost:{ports.edge}", process, log)


@pytest.fixture
def own_edge(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> Iterator[EdgeClient]:
    """An edge whose memory and connections are those of one test."""
    port = free_port()
    log = tmp_path / "edge.log"
    environment = edge_environment(ports) | {"LOG_LEVEL": "WARNING"}
    with start_edge(environment, port, log, "own edge") as process:
        yield EdgeClient(f"localhost:{port}", process, log)


@pytest.fixture(scope="session")
def strict_edge(
    django_db_setup: None, ports: Ports, logs: Path
) -> Iterator[EdgeClient]:
    """An edge with little patience, to meet hostile registries with."""
    environment = edge_environment(ports) | {
        "BERTH_UPSTREAM_CONNECT_SECONDS": "2",
        "BERTH_UPSTREAM_READ_SECONDS": "1.5",
        "BERTH_MAX_BLOB_BYTES": str(SIZE_LIMIT),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,.example.com",
    }
    log = logs / "strict-edge.log"
    with start_edge(environment, ports.strict_edge, log, "strict edge") as process:
        yield EdgeClient(f"localhost:{ports.strict_edge}", process, log)


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def connected(vendor: Vendor, basic_upstream: Upstream) -> Vendor:
    """A vendor with the htpasswd registry connected as ``sample``."""
    vendor.connect(basic_upstream.endpoint, "sample", UPSTREAM_LOGIN)
    return vendor
