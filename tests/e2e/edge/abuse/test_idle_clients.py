"""Clients that do not read their answer."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress

from tests.e2e.conftest import METRICS_TOKEN
from tests.support.clients.edge import EdgeClient
from tests.support.clients.raw import connect, read_all
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import HostileUpstream

MB = 2**20
DOCUMENT_BYTES = 8 * MB


def first_line(client: socket.socket) -> bytes:
    return client.recv(64).partition(b"\r\n")[0]


def document_request(edge: EdgeClient, vendor: Vendor, kind: str = "document") -> bytes:
    name = f"proxy/{vendor.application.slug}/documents/{kind}/{vendor.team.slug}"
    token = edge.token(vendor.license().license_id.reveal(), name)
    return (
        f"GET /v2/{name}/manifests/v1 HTTP/1.1\r\nHost: {edge.host}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


def test_a_hundred_idle_readers_take_little_memory(
    own_edge: EdgeClient, vendor: Vendor, hostile: HostileUpstream
) -> None:
    vendor.connect(hostile.endpoint, "documents")
    request = document_request(own_edge, vendor)

    with ExitStack() as clients:
        idle = [clients.enter_context(connect(own_edge, 4096)) for _ in range(100)]
        for client in idle:
            client.sendall(request)
        statuses = {first_line(client) for client in idle}
        during = own_edge.process.rss_bytes()
        # Another customer of the same registry is served.
        other = document_request(own_edge, vendor)
        with connect(own_edge) as reader:
            reader.sendall(other)
            assert first_line(reader) == b"HTTP/1.1 200 OK"
    after = own_edge.process.rss_bytes()

    assert statuses == {b"HTTP/1.1 200 OK", b"HTTP/1.1 429 Too Many Requests"}
    assert during < 250 * MB
    assert after < 250 * MB


def test_a_client_that_does_not_read_is_disconnected(
    own_edge: EdgeClient, vendor: Vendor, hostile: HostileUpstream
) -> None:
    vendor.connect(hostile.endpoint, "documents")

    with connect(own_edge, 4096) as client:
        client.sendall(document_request(own_edge, vendor))
        time.sleep(30)
        assert buffered(own_edge) == 0
        assert read_all(client) < DOCUMENT_BYTES


def test_no_answer_waits_until_the_client_has_read_those_before(
    own_edge: EdgeClient, vendor: Vendor, hostile: HostileUpstream
) -> None:
    """It would arrive after a revocation, although it was allowed before."""
    vendor.connect(hostile.endpoint, "documents")
    request = document_request(own_edge, vendor, "short-document")

    with connect(own_edge, 4096) as client:
        sent = 0
        with suppress(OSError):
            while sent < 120:
                client.sendall(request)
                sent += 1
                # The answer is complete, and in the buffers of kernel and server.
                time.sleep(0.05)

    assert sent < 120


def buffered(edge: EdgeClient) -> float:
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    text = edge.request("GET", "/metrics", headers).body.decode()
    name = 'berth_share_in_use{resource="edge-buffered-bytes"} '
    (value,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(value.removeprefix(name))
