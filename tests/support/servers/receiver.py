"""A receiver of webhooks: keeps what it is sent, and answers as it is told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    headers: dict[str, str]
    body: str
    path: str


@dataclass
class Receiver:
    """What tests read and set. ``status`` is the next answers'.

    ``delay_seconds`` is for paths that begin with ``slow_path``.
    """

    host: str
    status: int = 204
    delay_seconds: float = 0
    slow_path: str = ""
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"


@contextlib.contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Listen on a free loopback port until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(headers, body, self.path))
            if self.path.startswith(receiver.slow_path):
                time.sleep(receiver.delay_seconds)
            self.send_response(receiver.status)
            self.send_header("Location", "http://169.254.169.254/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
