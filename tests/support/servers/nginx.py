"""A private registry behind nginx, with the very configuration of ``deploy/nginx``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.nginx import NginxPorts, start_nginx
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import TokenAuth, start_registry
from images.distribution_config import Notifications
from tests.support.servers.certificates import Authority


@dataclass(frozen=True)
class Front:
    """A private registry of its own behind nginx, and both processes."""

    ports: NginxPorts
    authority: Authority
    distribution: ManagedProcess
    nginx: ManagedProcess
    storage: Path


@contextmanager
def registry_behind_nginx(
    directory: Path, edge_port: int, notifications: Notifications | None = None
) -> Iterator[Front]:
    """Start Distribution and nginx, which asks the edge on a port for decisions.

    That need not be there yet.
    """
    authority = Authority(directory)
    ports = NginxPorts(
        **{name: free_port() for name in ("portal", "proxy", "registry")},
        registry_tls=free_port(),
        behind_portal=free_port(),
        behind_edge=edge_port,
        behind_registry=free_port(),
    )
    roots = directory / "roots.crt"
    roots.write_text(os.environ["BERTH_TOKEN_ROOTS"])
    token = TokenAuth(
        realm=f"http://localhost:{ports.registry}/v2/token",
        service="berth-registry",
        issuer="berth",
        root_bundle=roots,
    )
    (directory / "nginx").mkdir()
    data = directory / "registry"
    with (
        start_registry(
            data, ports.behind_registry, token=token, notifications=notifications
        ) as distribution,
        start_nginx(
            directory / "nginx", ports, authority.issue("localhost"), ready_path="/"
        ) as nginx,
    ):
        yield Front(ports, authority, distribution, nginx, data / "storage")
