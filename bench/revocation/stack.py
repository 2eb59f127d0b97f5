"""All processes of a run, and the images that they serve."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness.distribution import running_distribution
from bench.harness.servers import Servers
from bench.pulls.images import REPOSITORY, TAG
from bench.pulls.targets import proxied
from bench.pulls.vendor import OPEN
from bench.revocation.history import Kind, Process, Route
from bench.revocation.victims import Victim, start_victims
from deploy.local.demo_settings import REGISTRY_SERVICE
from deploy.local.images import push_blob, push_blob_stream, push_image
from deploy.local.nginx import (
    NginxPorts,
    edge_environment,
    pull_log,
    write_configuration,
)
from deploy.local.private_files import private_directory
from deploy.local.process import free_port
from deploy.local.registry import TokenAuth
from tests.support.servers.certificates import Authority

# nginx serves both from the edge's disk cache. The edge serves what is larger, and
# decides again while it does.
SMALL_BLOB_BYTES = 1024
BLOB_BYTES = 256 * 1024
_SERVED_BY_NGINX = {"BERTH_CACHE_NGINX_BYTES": str(BLOB_BYTES)}


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Where each route begins, the victims by name, and the upstream's URL.

    nginx writes what it serves from the disk cache to ``pull_log``.
    """

    hosts: dict[Route, str]
    victims: dict[Process, Victim]
    upstream: str
    pull_log: Path

    def hits(self) -> int:
        """Return how many pulls through nginx were served from the disk cache."""
        with self.pull_log.open(encoding="utf-8") as lines:
            return sum('"cache":"hit"' in line for line in lines)


@contextmanager
def running_stack(servers: Servers) -> Iterator[RunningStack]:
    """Run everything; the upstream and the private registry have the same images.

    Raises:
        LocalStackError: a process did not start.
    """
    ports = _nginx_ports(servers)
    with ExitStack() as stack:
        upstream = _start_registries(servers, ports, stack)
        configuration = _nginx_configuration(servers, ports)
        cache = edge_environment(configuration.parent) | _SERVED_BY_NGINX
        victims = start_victims(servers, configuration, ports.proxy, cache)
        for victim in victims.values():
            stack.callback(victim.end)
        hosts = {
            Route.EDGE: servers.settings.portal_host,
            Route.NGINX: f"localhost:{ports.proxy}",
            Route.PRIVATE: f"localhost:{ports.registry}",
        }
        log = pull_log(configuration.parent)
        yield RunningStack(hosts, victims, f"http://{upstream}", log)


def repository(route: Route) -> str:
    """Return the name of the pulled repository by a route."""
    return REPOSITORY if route is Route.PRIVATE else proxied(OPEN, REPOSITORY)


def push_content(upstream: str, download_bytes: int) -> dict[Kind, str]:
    """Push an image and blobs; return the path of each kind within the repository."""
    image = push_image(upstream, REPOSITORY, TAG, layers=[os.urandom(100)])
    small = push_blob(upstream, REPOSITORY, os.urandom(SMALL_BLOB_BYTES))
    blob = push_blob(upstream, REPOSITORY, os.urandom(BLOB_BYTES))
    large = push_blob_stream(upstream, REPOSITORY, download_bytes)
    return {
        Kind.BY_TAG: f"manifests/{TAG}",
        Kind.BY_DIGEST: f"manifests/{image.digest}",
        Kind.SMALL_BLOB: f"blobs/{small.digest}",
        Kind.BLOB: f"blobs/{blob.digest}",
        Kind.RANGE: f"blobs/{blob.digest}",
        Kind.DOWNLOAD: f"blobs/{large.digest}",
    }


def _start_registries(servers: Servers, ports: NginxPorts, stack: ExitStack) -> str:
    """Start both on the same storage, and return the upstream's host."""
    directory, settings = servers.directory, servers.settings
    storage = directory / "images"
    upstream = running_distribution(
        directory / "upstream", storage, port=settings.sample_port
    )
    token = TokenAuth(
        realm=f"http://localhost:{ports.registry}/v2/token",
        service=REGISTRY_SERVICE,
        issuer="berth",
        root_bundle=settings.signing / "root.crt",
    )
    private = running_distribution(
        directory / "private", storage, port=ports.behind_registry, token=token
    )
    host = stack.enter_context(upstream).host
    stack.enter_context(private)
    return host


def _nginx_ports(servers: Servers) -> NginxPorts:
    return NginxPorts(
        portal=free_port(),
        proxy=free_port(),
        registry=free_port(),
        registry_tls=free_port(),
        behind_portal=free_port(),
        behind_edge=servers.settings.portal_port,
        behind_registry=servers.settings.registry_port,
    )


def _nginx_configuration(servers: Servers, ports: NginxPorts) -> Path:
    directory = private_directory(servers.directory / "nginx")
    certificate = Authority(directory).issue("localhost")
    return write_configuration(directory, ports, certificate)
