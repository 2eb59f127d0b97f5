"""Small real servers that look-ups meet: good, bad, slow and broken ones."""

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

from tests.support.servers.canned_server import Answer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OK = Answer(200, {"Content-Type": MANIFEST}, b"{}")
Respond = Callable[["Request"], Answer]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


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
            return Counter((each.method, each.path) for each in self.requests)

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
    """Run a server that answers as it is told."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {key.title(): value for key, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            with state.counted(request):
                answer = respond(request)
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    self.send_header(key, value.format(host=state.host))
                # A body of which a part is missing breaks the connection.
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
        listening.handle_error = lambda *_args: None  # type: ignore[method-assign]
        state = Server(f"{name}:{listening.server_address[1]}")
        thread = threading.Thread(
            target=listening.serve_forever, args=(0.02,), daemon=True
        )
        thread.start()
        try:
            yield state
        finally:
            listening.shutdown()
            thread.join()


@dataclass
class BreakingServer:
    host: str
    connections: int = 0


@contextmanager
def raw_server(speak: Callable[[socket.socket], None]) -> Iterator[BreakingServer]:
    """Have each connection spoken to as a test likes, and close it then."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        state = BreakingServer(f"127.0.0.1:{listening.getsockname()[1]}")
        ended = threading.Event()
        arguments = (listening, speak, state, ended)
        threading.Thread(target=_accept, args=arguments, daemon=True).start()
        try:
            yield state
        finally:
            ended.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def breaking_server(sent: bytes) -> AbstractContextManager[BreakingServer]:
    """Take connections, send some bytes, and close."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent)

    return raw_server(speak)


def dripping_server(
    sent: bytes, *, seconds: float = 0.1
) -> AbstractContextManager[BreakingServer]:
    """Send some bytes at once, and then one at a time without end."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent)
        while True:
            connection.sendall(b"x")
            time.sleep(seconds)

    return raw_server(speak)


def _accept(
    listening: socket.socket,
    speak: Callable[[socket.socket], None],
    state: BreakingServer,
    ended: threading.Event,
) -> None:
    while not ended.is_set():
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        state.connections += 1
        arguments = (connection, speak)
        threading.Thread(target=_speak, args=arguments, daemon=True).start()


def _speak(connection: socket.socket, speak: Callable[[socket.socket], None]) -> None:
    with connection, suppress(OSError):
        speak(connection)


def closed_port() -> str:
    """Return ``host:port`` where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"
