"""Clients that do not finish their request, and more of them than the edge takes."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
import urllib3

from deploy.local.process import free_port
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.support.clients.edge import EdgeClient
from tests.support.clients.raw import connect, is_open

MB = 2**20
HALF_OPEN = {
    "nothing": b"",
    "half a line": b"GET /livez HT",
    "half the headers": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: b",
    "half a body": (
        b"POST /v2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na"
    ),
    "a body that nobody reads": (
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na"
    ),
    "an empty line": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n",
}


def test_an_incomplete_request_is_given_up(own_edge: EdgeClient) -> None:
    with ExitStack() as clients:
        half_open = {}
        for name, data in HALF_OPEN.items():
            half_open[name] = clients.enter_context(connect(own_edge))
            half_open[name].sendall(data)
        trickle = clients.enter_context(connect(own_edge))
        trickle.sendall(b"GET /livez HTTP/1.1\r\n")

        seconds = trickle_headers(trickle, 60)
        still_open = {name for name, client in half_open.items() if is_open(client)}

    assert seconds < 60
    assert not still_open
    assert own_edge.request("GET", "/livez").status == 200


def trickle_headers(client: socket.socket, seconds: int) -> int:
    """Send a header a second; return after how many the connection was closed."""
    for number in range(seconds):
        try:
            client.sendall(f"X-{number}: a\r\n".encode())
        except OSError:
            return number
        time.sleep(1)
    return seconds


def test_connections_are_limited_and_the_healthy_ones_stay(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "edge.log"
    environment = edge_environment(ports) | {
        "BERTH_EDGE_CONNECTIONS": "40",
        "BERTH_TRUSTED_PROXIES": "",
    }
    with start_edge(environment, port, log, "small edge") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)
        edge.http = urllib3.PoolManager(retries=False, timeout=5)
        assert edge.request("GET", "/livez").status == 200
        with ExitStack() as clients:
            for _ in range(100):
                clients.enter_context(connect(edge)).sendall(b"GET /livez HTT")
            time.sleep(0.5)
            open_files = psutil.Process(process.pid).num_fds()
        deadline = time.monotonic() + 10
        while edge.request("GET", "/livez").status != 200:
            assert time.monotonic() < deadline
    assert open_files < 100


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /livez HTTP/1.1\r\nX-A: ",
        b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ",
    ],
    ids=["header", "trailer"],
)
def test_a_request_without_end_takes_little_memory(
    own_edge: EdgeClient, beginning: bytes
) -> None:
    before = own_edge.process.rss_bytes()

    with connect(own_edge) as client:
        client.sendall(beginning)
        with suppress(ConnectionError):
            for _ in range(64):
                client.sendall(b"a" * MB)
        during = own_edge.process.rss_bytes()

    assert during < before + 8 * MB
    assert own_edge.request("GET", "/livez").status == 200
