"""The servers of a run: database, Valkey, three registries and the edge."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness.distribution import Distribution, start_distribution
from deploy.local.demo_settings import (
    PROJECT,
    REGISTRY_SERVICE,
    DemoSettings,
    portal_environment,
)
from deploy.local.postgres import start_postgres
from deploy.local.postgres_home import find_home
from deploy.local.private_files import private_directory, write_private
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import TokenAuth
from deploy.local.valkey import start_valkey
from registries.tokens.signing_keys import create_signing_material

# One load asks for more tokens in a minute than any customer.
NO_TOKEN_LIMIT = {"BERTH_TOKEN_REQUESTS_PER_MINUTE": "1000000000"}


@dataclass(frozen=True, slots=True)
class Edge:
    """A running edge."""

    process: ManagedProcess
    host: str


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs, and the environment that an edge runs in.

    ``upstream`` and ``token_upstream`` serve the same storage: one to all, the other
    to holders of a token of the token service at ``token_service_host``. ``mirror`` is
    Distribution's own pull-through cache of ``upstream``.
    """

    directory: Path
    environment: dict[str, str]
    upstream: Distribution
    token_upstream: Distribution
    mirror: Distribution
    token_service_host: str
    pids: dict[str, int]


@contextmanager
def bench_directory() -> Iterator[Path]:
    """Make a directory for a run; afterwards nothing of it is left."""
    parent = private_directory(PROJECT / "var")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        yield Path(name)


@contextmanager
def running_servers(directory: Path) -> Iterator[Servers]:
    """Start all but the edges, and stop it in the end.

    Raises:
        LocalStackError: something did not start.
    """
    settings = DemoSettings(directory, *(free_port() for _ in range(3)))
    write_signing_keys(settings.signing)
    with ExitStack() as stack:
        # The data may lie elsewhere, where the server can reach it.
        cluster = private_directory(directory / "postgres") / "data"
        stack.callback(
            lambda: shutil.rmtree(find_home(cluster).data_dir, ignore_errors=True)
        )
        postgres, database_url = start_postgres(cluster)
        stack.enter_context(postgres)
        valkey, redis_url = start_valkey(directory / "valkey", durable=True)
        stack.enter_context(valkey)
        environment = portal_environment(
            settings, database_url=database_url, redis_url=redis_url
        )
        environment |= {"LOG_LEVEL": "WARNING", **NO_TOKEN_LIMIT}
        servers = _servers(settings, environment)
        for registry in (servers.upstream, servers.token_upstream, servers.mirror):
            process = start_distribution(registry, directory / registry.name)
            stack.enter_context(process)
            servers.pids[registry.name] = process.pid
        yield servers


def _servers(settings: DemoSettings, environment: dict[str, str]) -> Servers:
    images = settings.directory / "images"
    upstream = Distribution("upstream", settings.sample_port, images)
    token_upstream = Distribution(
        "token-upstream",
        settings.registry_port,
        images,
        token=TokenAuth(
            realm=f"http://{settings.portal_host}/v2/token",
            service=REGISTRY_SERVICE,
            issuer="berth",
            root_bundle=settings.signing / "root.crt",
        ),
    )
    mirror = Distribution(
        "mirror",
        free_port(),
        settings.directory / "mirrored",
        proxy_remote=upstream.url,
    )
    return Servers(
        directory=settings.directory,
        environment=environment,
        upstream=upstream,
        token_upstream=token_upstream,
        mirror=mirror,
        token_service_host=settings.portal_host,
        pids={},
    )


def write_signing_keys(directory: Path) -> None:
    """Make new keys for registry tokens, as the edge and a registry read them."""
    material = create_signing_material()
    private_directory(directory)
    write_private(directory / "root.crt", material.root_pem)
    write_private(directory / "signing.pem", material.signing_pem)


@contextmanager
def running_edge(servers: Servers, port: int | None = None) -> Iterator[Edge]:
    """Start one edge process as production does, and stop it in the end."""
    with running_edge_in(servers.environment, servers.directory, port) as edge:
        yield edge


@contextmanager
def running_edge_in(
    environment: Mapping[str, str], directory: Path, port: int | None = None
) -> Iterator[Edge]:
    """Do the same in any environment, with its log in a directory."""
    port = port or free_port()
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "uvicorn", "edge.app:app"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--loop", "uvloop", "--http", "httptools", "--lifespan", "on"),
            *("--no-access-log", "--no-server-header", "--no-proxy-headers"),
            *("--log-level", "warning", "--timeout-graceful-shutdown", "5"),
        ],
        name=f"edge-{port}",
        log=directory / f"edge-{port}.log",
        env=environment,
        cwd=PROJECT,
    )
    with process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        yield Edge(process, f"localhost:{port}")
