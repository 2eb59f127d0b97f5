"""Berth as it is deployed: an edge behind nginx with deploy/nginx's configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.harness.servers import Server, running_edge
from deploy.local.nginx import NginxPorts, edge_environment, start_nginx
from deploy.local.private_files import private_directory
from deploy.local.process import free_port
from tests.support.servers.certificates import Authority


@contextmanager
def running_front(
    environment: Mapping[str, str], directory: Path
) -> Iterator[tuple[Server, Server]]:
    """Run an edge with a disk cache, and nginx in front of it, which reads it.

    Yield the edge, and then both as one server.
    """
    own = private_directory(directory)
    trust = {"BERTH_TRUSTED_PROXIES": "127.0.0.1/32"}
    with running_edge({**environment, **trust, **edge_environment(own)}, own) as edge:
        ports = NginxPorts(
            **{name: free_port() for name in ("portal", "proxy", "registry")},
            registry_tls=free_port(),
            behind_portal=free_port(),
            behind_edge=int(edge.host.rpartition(":")[2]),
            behind_registry=free_port(),
        )
        certificate = Authority(own).issue("localhost")
        with start_nginx(own, ports, certificate, ready_path="/") as nginx:
            host = f"localhost:{ports.proxy}"
            yield edge, Server(nginx.pid, host, behind=(edge.pid,))
