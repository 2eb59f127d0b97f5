"""An HTTP server that answers as a test tells it, whatever it is asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


def registry_answers(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return answers of a registry that takes any login, but for these."""
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


@contextmanager
def canned_server(answers: Mapping[str, Answer]) -> Iterator[str]:
    """Run it; ``answers`` by the beginning of a path, the longest one that fits.

    Yields ``host:port``. Whoever sends a login gets the answer of ``signed:`` before
    the path, if there is one. ``{endpoint}`` in a header is the server's own.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.path
            signed = f"signed:{asked}"
            if "Authorization" in self.headers and _best(answers, signed) is not None:
                asked = signed
            answer = _best(answers, asked) or Answer(404)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value.format(endpoint=endpoint))
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_HEAD = do_GET  # noqa: N815 -- the base class names it

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()


def _best(answers: Mapping[str, Answer], asked: str) -> Answer | None:
    fitting = [path for path in answers if asked.startswith(path)]
    return answers[max(fitting, key=len)] if fitting else None


@contextmanager
def silent_server() -> Iterator[str]:
    """Take connections and never answer; yields ``host:port``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
