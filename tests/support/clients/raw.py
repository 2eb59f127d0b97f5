"""Clients on bare sockets, which stop where no library would."""

from __future__ import annotations

import socket
from contextlib import suppress

from tests.support.clients.edge import EdgeClient


def connect(edge: EdgeClient, receive_buffer: int = 0) -> socket.socket:
    """Connect; with a small buffer the client's kernel accepts little."""
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(90)
    client.connect(("127.0.0.1", int(edge.host.partition(":")[2])))
    return client


def read_all(client: socket.socket) -> int:
    """Return how many bytes arrive before the connection is closed."""
    size = 0
    with suppress(ConnectionResetError):
        while data := client.recv(65536):
            size += len(data)
    return size


def is_open(client: socket.socket) -> bool:
    client.settimeout(2)
    try:
        read_all(client)
    except TimeoutError:
        return True
    return False
