"""Small real servers that look-ups meet: good, bad, slow and broken ones."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.support.servers.canned_server import (
    Answer,
    Request,
    http_server,
    saying_server,
)

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OK = Answer(200, {"Content-Type": MANIFEST}, b"{}")
Respond = Callable[[Request], Answer]
breaking_server = saying_server
dripping_server = partial(saying_server, then=b"x")


@dataclass
class Server:
    """A running server: where it is, what it was asked, and how much at once."""

    host: str
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self) -> Counter[tuple[str, str]]:
        with self._lock:
            return Counter((request.method, request.path) for request in self.requests)

    @contextmanager
    def counted(self, request: Request) -> Iterator[None]:
        with self._lock:
            self.requests.append(request)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def server(
    respond: Respond, *, tls: ssl.SSLContext | None = None, name: str = "127.0.0.1"
) -> Iterator[Server]:
    """Run a server with ``respond`` for its answers; ``{host}`` in headers is its own.

    The header ``Cut`` breaks the connection before the last byte of the answer.
    """
    state = Server("")

    def answer(request: Request) -> Answer:
        with state.counted(request):
            reply = respond(request)
        headers = {
            name: value.format(host=state.host) for name, value in reply.headers.items()
        }
        if "Cut" in headers:
            length = str(len(reply.body) + 1)
            headers |= {"Content-Length": length, "Connection": "close"}
        return reply._replace(headers=headers)

    with http_server(answer, tls=tls) as port:
        state.host = f"{name}:{port}"
        yield state


def closed_port() -> str:
    """Return ``host:port`` where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"
