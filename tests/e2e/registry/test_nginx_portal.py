"""What nginx keeps away from the portal's threads."""

from __future__ import annotations

import socket
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from deploy.local.nginx import NginxPorts, portal_log, start_nginx
from deploy.local.process import free_port
from tests.support.servers.canned_server import Answer, http_server
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


SECRET = "Zq3" + "x" * 40
# Addresses that sign somebody in, or name one that does.
LINKS = [
    f"/c/links/{SECRET}",
    f"/c//links/{SECRET}",
    f"/c%2Flinks/{SECRET}",
    f"/c/./links/%5A{SECRET[1:]}",
    f"/C/Links/{SECRET}/",
    f"/c/unsubscribe/{SECRET}.{SECRET}",
    f"/invitations/{SECRET}",
    f"/accounts/password/reset/key/1-{SECRET}/",
    f"/accounts/confirm-email/MQ:{SECRET}/",
    f"/accounts/login/?next=%2Finvitations%2F{SECRET}",
]


def test_no_log_has_a_link_that_signs_in(tmp_path: Path) -> None:
    directory = tmp_path / "nginx"
    directory.mkdir()
    certificate = Authority(tmp_path).issue("localhost")
    with http_server(lambda _request: Answer(200)) as portal:
        ports = NginxPorts(
            **{name: free_port() for name in ("portal", "proxy", "registry")},
            **{name: free_port() for name in ("registry_tls", "behind_edge")},
            behind_registry=free_port(),
            behind_portal=portal,
        )
        with start_nginx(directory, ports, certificate, "/"):
            for link in LINKS:
                _get(ports.portal, link)
            _get(ports.portal, "/static/berth.css", referer=LINKS[0])
            _get(ports.portal, "/c/?page=2")

    logged = portal_log(directory).read_text()
    assert len(logged.splitlines()) == len(LINKS) + 2
    assert '"GET /c/links/[redacted]" ' in logged
    assert '"GET /accounts/login/" ' in logged
    assert '"GET /c/" ' in logged
    for log in directory.glob("*.log"):
        assert SECRET[1:] not in log.read_text()


def _get(port: int, path: str, referer: str = "") -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request("GET", path, headers={"Referer": referer})
        connection.getresponse().read()
