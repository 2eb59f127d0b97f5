"""Clients that read a buffered answer, but slowly."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from edge.asgi_types import ASGIApp, Receive, Scope, Send
from edge.connections import LimitedConnection
from edge.http import PIECE_BYTES, ClientGone, Request

PIECES = 40
# Generous for a busy machine; the reader needs 20 s for the whole answer.
PATIENCE = 10


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """Serve an application as the edge is served; yield the port."""
    with socket.socket() as listening:
        # Connections inherit it: the kernel must not take the whole answer at once.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=LimitedConnection, ws="none", lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve([listening])), daemon=True
        )
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def test_a_whole_answer_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.http.ANSWER_STALL_SECONDS", 2)
    monkeypatch.setattr(
        "edge.http.ANSWER_BYTES_PER_SECOND", 20 * PIECE_BYTES, raising=False
    )
    outcomes: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = b"x" * PIECES * PIECE_BYTES
            await Request(scope, receive, send).answer(200, [], body)
            outcomes.append("sent")
        except ClientGone:
            outcomes.append("given up")

    with serving(app) as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        started = time.monotonic()
        while not outcomes and time.monotonic() - started < PATIENCE:
            read_a_piece(client)
            time.sleep(0.5)
        assert outcomes == ["given up"]


def read_a_piece(client: socket.socket) -> None:
    left = PIECE_BYTES
    try:
        while left > 0 and (data := client.recv(left)):
            left -= len(data)
    except ConnectionResetError:
        pass
