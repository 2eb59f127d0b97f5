"""Small real servers for look-ups: good, bad, slow and broken ones."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, TCPServer, ThreadingTCPServer

from tests.support.servers.canned_server import Answer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OK = Answer(200, {"Content-Type": MANIFEST}, b"{}")
Respond = Callable[["Request"], Answer]
Speak = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Server:
    """A running server: its address, and what it was asked."""

    host: str
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self) -> Counter[tuple[str, str]]:
        with self._lock:
            return Counter((item.method, item.path) for item in self.requests)

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
    """Run an HTTP server that answers with ``respond``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {key.title(): value for key, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            with state.counted(request):
                self._send(respond(request))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value.format(host=state.host))
            # A body that is shorter than announced breaks the connection.
            missing = 1 if "Cut" in answer.headers else 0
            self.send_header("Content-Length", str(len(answer.body) + missing))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.close_connection |= bool(missing)

        do_GET = do_HEAD = do_POST = _answer  # noqa: N815 -- the base class names them

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        if tls is not None:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        state = Server(f"{name}:{listening.server_address[1]}")
        with _serving(listening):
            yield state


@contextmanager
def raw_server(speak: Speak) -> Iterator[Server]:
    """Run a server that calls ``speak`` with each connection, then closes it."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            state.connections += 1
            with suppress(OSError):
                speak(self.request)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        state = Server(f"127.0.0.1:{listening.server_address[1]}")
        with _serving(listening):
            yield state


@contextmanager
def _serving(listening: TCPServer) -> Iterator[None]:
    listening.handle_error = lambda *_args: None  # type: ignore[method-assign]
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown()
        thread.join()


def breaking_server(sent: bytes) -> AbstractContextManager[Server]:
    """Run a server that sends some bytes and closes the connection."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent)

    return raw_server(speak)


def dripping_server(
    sent: bytes, *, seconds: float = 0.1
) -> AbstractContextManager[Server]:
    """Run a server that sends some bytes at once, then one at a time forever."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent)
        while True:
            connection.sendall(b"x")
            time.sleep(seconds)

    return raw_server(speak)


def closed_port() -> str:
    """Return ``host:port`` where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"
