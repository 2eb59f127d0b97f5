"""What nginx keeps away from the portal's threads."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy.local.nginx import NginxPorts, start_nginx
from deploy.local.process import free_port
from tests.support.servers.certificates import Authority

HEADERS = (
    b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
)


def test_the_portal_gets_whole_requests_only(tmp_path: Path) -> None:
    directory = tmp_path / "nginx"
    directory.mkdir()
    certificate = Authority(tmp_path).issue("localhost")
    with socket.create_server(("127.0.0.1", 0)) as portal:
        ports = NginxPorts(
            **{name: free_port() for name in ("portal", "proxy", "registry")},
            **{name: free_port() for name in ("registry_tls", "behind_edge")},
            behind_registry=free_port(),
            behind_portal=portal.getsockname()[1],
        )
        with (
            start_nginx(directory, ports, certificate, "/"),
            socket.create_connection(("127.0.0.1", ports.portal)) as client,
        ):
            client.sendall(HEADERS + b"half")
            portal.settimeout(2)
            with pytest.raises(TimeoutError):
                portal.accept()
            client.sendall(b" full")
            connection, _ = portal.accept()
            with connection:
                connection.settimeout(10)
                received = b""
                while not received.endswith(b"half full"):
                    received += connection.recv(65536)
