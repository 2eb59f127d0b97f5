"""Requests that begin before the client has the answer to the one before."""

from __future__ import annotations

import socket

from tests.support.clients.edge import EdgeClient
from tests.support.clients.raw import connect, read_all

MB = 2**20
REQUEST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
# The shortest of all requests: 14,000 of them.
FLOOD = b"GET / HTTP/1.1\r\n\r\n" * (256 * 1024 // 18)


def test_a_flood_of_requests_is_cut_at_once(own_edge: EdgeClient) -> None:
    before = own_edge.process.rss_bytes()

    with connect(own_edge) as client:
        send_all(client, FLOOD)
        size = read_all(client)

    assert size < 1000
    assert own_edge.process.rss_bytes() < before + 4 * MB
    assert own_edge.request("GET", "/livez").status == 200


def send_all(client: socket.socket, data: bytes) -> None:
    try:
        client.sendall(data)
    except OSError:
        # The connection was closed before all was sent.
        return


def test_requests_one_after_another_share_a_connection(own_edge: EdgeClient) -> None:
    with connect(own_edge) as client:
        for _ in range(100):
            client.sendall(REQUEST)
            answer = client.recv(65536)
            while not answer.endswith(b"}"):
                answer += client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
