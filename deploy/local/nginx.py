"""nginx with the very configuration of ``deploy/nginx``, for addresses on loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local.demo_settings import PROJECT
from deploy.local.private_files import private_directory
from deploy.local.process import ManagedProcess

DEPLOYED = PROJECT / "deploy" / "nginx"
# Where Debian puts it; only root has the directory in PATH.
NGINX = "/usr/sbin/nginx"
MODULES = Path("/usr/lib/nginx/modules")


@dataclass(frozen=True)
class NginxPorts:
    """Where nginx listens, and the processes behind it, all on 127.0.0.1.

    Without their ports, there is no TLS for the proxy and no second edge.
    """

    portal: int
    proxy: int
    registry: int
    registry_tls: int
    behind_portal: int
    behind_edge: int
    behind_registry: int
    proxy_tls: int = 0
    other_edge: int = 0


class CertificateFiles(Protocol):
    """A server's certificate and its key, in PEM."""

    @property
    def certificate(self) -> Path: ...

    @property
    def key(self) -> Path: ...


def start_nginx(
    directory: Path,
    ports: NginxPorts,
    certificate: CertificateFiles,
    ready_path: str = "/v2/",
    command: Sequence[str] = (),
) -> ManagedProcess:
    """Start nginx, as an argument of ``command``; return it once it answers."""
    configuration = write_configuration(directory, ports, certificate)
    process = ManagedProcess(
        [*command, NGINX, "-c", str(configuration), "-p", str(directory)],
        name="nginx",
        log=directory / "nginx.log",
    )
    process.wait_for_http(f"http://127.0.0.1:{ports.registry}{ready_path}")
    return process


def write_configuration(
    directory: Path, ports: NginxPorts, certificate: CertificateFiles
) -> Path:
    """Write what an operator would, beside the files that are nobody's to change."""
    shutil.copy(DEPLOYED / "berth.conf", directory)
    shutil.copytree(DEPLOYED / "berth", directory / "berth")
    ours = directory / "berth"
    (ours / "upstreams.conf").write_text(_upstreams(directory, ports))
    (ours / "portal-host.conf").write_text(
        _host(f"127.0.0.1:{ports.portal}")
        + f"access_log {portal_log(directory)} berth_portal;\n"
        f"access_log {request_log(directory)} berth_portal_json;\n"
    )
    tls = [f"127.0.0.1:{ports.proxy_tls} ssl http2"] if ports.proxy_tls else []
    (ours / "proxy-host.conf").write_text(
        _host(f"127.0.0.1:{ports.proxy}", *tls)
        + _keys(certificate)
        + f"root {cache_directory(directory)};\n"
        f"access_log {pull_log(directory)} berth_pulls if=$berth_counted;\n"
        f"access_log {request_log(directory)} berth_requests;\n"
    )
    (ours / "registry-host.conf").write_text(
        _host(f"127.0.0.1:{ports.registry}", f"127.0.0.1:{ports.registry_tls} ssl")
        + _keys(certificate)
        + f"access_log {request_log(directory)} berth_requests;\n"
    )
    main = directory / "nginx.conf"
    main.write_text(main_configuration(directory, "include berth.conf;"))
    return main


def cache_directory(directory: Path) -> Path:
    """Return the BERTH_CACHE_DIR of an nginx whose configuration is in a directory."""
    return directory / "cache"


def pull_log(directory: Path) -> Path:
    """Return the BERTH_PULL_LOG of an nginx whose configuration is in a directory."""
    return directory / "pulls.log"


def request_log(directory: Path) -> Path:
    """Return the log of all requests to all hosts, as JSON."""
    return directory / "requests.log"


def portal_log(directory: Path) -> Path:
    """Return the log of what people requested of the portal."""
    return directory / "portal.log"


def edge_environment(directory: Path) -> dict[str, str]:
    """Return the settings of an edge whose disk cache this nginx serves."""
    cache = private_directory(cache_directory(directory))
    return {
        "BERTH_CACHE_DIR": str(cache),
        "BERTH_PULL_LOG": str(pull_log(directory)),
    }


def _keys(certificate: CertificateFiles) -> str:
    return (
        f"ssl_certificate {certificate.certificate};\n"
        f"ssl_certificate_key {certificate.key};\n"
    )


def _upstreams(directory: Path, ports: NginxPorts) -> str:
    named = {
        "portal": [ports.behind_portal],
        "edge": [ports.behind_edge, *filter(None, [ports.other_edge])],
        "registry": [ports.behind_registry],
    }
    upstreams = [
        f"upstream berth_{name} {{ "
        f"{''.join(f'server 127.0.0.1:{port}; ' for port in servers)}"
        f"{'hash $berth_edge_key consistent; ' if name == 'edge' else ''}"
        "keepalive 64; keepalive_timeout 4s; }"
        for name, servers in named.items()
    ]
    client = 'map "" $berth_client { default $remote_addr; }'
    return "\n".join([*upstreams, client, f'lua_package_path "{directory}/?.lua;;";'])


def _host(*listen: str) -> str:
    lines = [f"listen {each};" for each in listen]
    return "\n".join([*lines, "server_name localhost;", ""])


def main_configuration(directory: Path, http: str) -> str:
    """Return nginx.conf for one process, with all of its files in a directory.

    It ends with its parent. ``http`` goes into the block of that name.
    """
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(
        f"{name}_temp_path {directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
{user}
load_module {MODULES}/ndk_http_module.so;
load_module {MODULES}/ngx_http_lua_module.so;
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
access_log {directory}/access.log;
{temporary}
{http}
}}
"""
