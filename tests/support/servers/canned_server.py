"""HTTP servers for tests: one with a function for its answers, others built on it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


@dataclass(frozen=True)
class Request:
    """A request as it arrived; ``path`` includes the query."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def authorization(self) -> str:
        return str(self.headers.get("Authorization", ""))

    @property
    def address(self) -> SplitResult:
        return urlsplit(self.path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.address.query)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        # Clients that hang up are what some tests are about.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextlib.contextmanager
def http_server(
    answer: Callable[[Request], Answer],
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Run a server in threads; yields its port on 127.0.0.1.

    An answer gets the length of its body, unless it names a Content-Length itself.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is one write. A client that has all of it may close its event loop.
        wbufsize = -1

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            reply = answer(Request(self.command, self.path, self.headers, body))
            self.send_response(reply.status)
            headers = {"Content-Length": str(len(reply.body)), **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_args: object) -> None:
            pass

    with _Server(("127.0.0.1", port), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        # Stopping waits for the next poll.
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def registry_answers(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return answers of a registry that accepts any login, except for these."""
    return {
        "/v2/": Answer(401, {"WWW-Authenticate": 'Basic realm="r"'}),
        "signed:/v2/": Answer(200, {"Content-Type": "application/json"}, b"{}"),
        **answers,
    }


BEARER = {
    "/v2/": Answer(
        401, {"WWW-Authenticate": 'Bearer realm="http://{endpoint}/token",service="s"'}
    ),
    "/token": Answer(200, {}, b'{"token": "abc"}'),
    "signed:/v2/": Answer(200),
}
STRANGE_REALM = {
    "WWW-Authenticate": 'Bearer realm="https://auth.example.org/token",service="s"'
}


@contextlib.contextmanager
def canned_server(answers: Mapping[str, Answer]) -> Iterator[str]:
    """Run a server with ``answers`` by the beginning of a path; the longest one wins.

    Yields ``host:port``. Requests with a login get the answer of ``signed:`` before
    the path, if there is one. ``{endpoint}`` in a header is the server's own.
    """

    def respond(request: Request) -> Answer:
        answer = _best(answers, request.path) or Answer(404)
        if request.authorization:
            answer = _best(answers, f"signed:{request.path}") or answer
        host = request.headers["Host"]
        headers = {
            name: value.format(endpoint=host) for name, value in answer.headers.items()
        }
        return answer._replace(headers=headers)

    with http_server(respond) as port:
        yield f"127.0.0.1:{port}"


def _best(answers: Mapping[str, Answer], asked: str) -> Answer | None:
    fitting = [path for path in answers if asked.startswith(path)]
    return answers[max(fitting, key=len)] if fitting else None


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Accept connections and never answer; yields ``host:port``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@dataclass
class BreakingServer:
    host: str
    connections: int = 0


@contextlib.contextmanager
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
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def saying_server(
    first: bytes, then: bytes = b"", *, seconds: float = 0.1, hangs_up: bool = True
) -> AbstractContextManager[BreakingServer]:
    """Return a server that reads a request and answers it with bytes.

    It sends ``first`` at once and ``then`` again and again. Without ``hangs_up`` it
    leaves connections open.
    """

    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        while then:
            connection.sendall(then)
            time.sleep(seconds)
        if not hangs_up:
            connection.recv(65536)

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
    with connection, contextlib.suppress(OSError):
        speak(connection)
