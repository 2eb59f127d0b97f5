"""A registry that asks for Basic, and answers as it is told.

What a real registry does is tested with Debian's; this one changes its mind on
demand, and holds no images.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def _nothing() -> None:
    pass


@dataclass
class FakeRegistry:
    """``status`` other than 0 is answered to everything."""

    endpoint: str
    login: tuple[str, str]
    status: int = 0
    retry_after: str = ""
    forbidden: str = ""
    delay_seconds: float = 0
    on_request: Callable[[], None] = _nothing
    asked: int = 0

    def answer(self, path: str, authorization: str) -> int:
        if self.status:
            return self.status
        pair = base64.b64encode(":".join(self.login).encode()).decode()
        if authorization != f"Basic {pair}":
            return 401
        return 403 if self.forbidden and self.forbidden in path else 200


@contextlib.contextmanager
def running_registry(login: tuple[str, str]) -> Iterator[FakeRegistry]:
    """Listen on a free loopback port until the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked += 1
            state.on_request()
            time.sleep(state.delay_seconds)
            status = state.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Content-Length", "0")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="fake"')
            if status == 429:
                self.send_header("Retry-After", state.retry_after)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 -- http.server's name

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = FakeRegistry(f"127.0.0.1:{server.server_port}", login)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
