"""A registry between Berth and the real one, whose requests can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

Rule = Callable[[str, str], bool]
_HOP_BY_HOP = {"connection", "transfer-encoding", "host", "content-length"}


def nothing(method: str, path: str) -> bool:
    """Have no request fail."""
    return False


@dataclass
class FailingRegistry:
    """``fails`` says of a method and path whether the answer is 500."""

    url: str
    fails: Rule = nothing
    asked: list[tuple[str, str]] = field(default_factory=list)


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in _HOP_BY_HOP
    }


@contextmanager
def failing_registry(target: str) -> Iterator[FailingRegistry]:
    """Pass requests on to a registry's address until told otherwise."""
    pool = urllib3.PoolManager(retries=False, timeout=30)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length) if length else None
            state.asked.append((self.command, self.path))
            if state.fails(self.command, self.path):
                self._answer(500, {"Docker-Distribution-Api-Version": "registry/2.0"})
                return
            found = pool.request(
                self.command,
                target + self.path,
                headers=_passed_on(dict(self.headers.items())),
                body=body,
            )
            self._answer(found.status, dict(found.headers), found.data)

        def _answer(
            self, status: int, headers: dict[str, str], body: bytes = b""
        ) -> None:
            self.send_response(status)
            for name, value in _passed_on(headers).items():
                self.send_header(name, value)
            length = headers.get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            self._serve()

        do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 -- the server's names

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = FailingRegistry(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        pool.clear()
