"""A registry of a few objects, which a test slows down, breaks and counts."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from oci.media_types import OCI_MANIFEST

PIECE = 64 * 1024


class Stored(NamedTuple):
    media_type: str
    body: bytes


class Asked(NamedTuple):
    method: str
    path: str
    range: str


@dataclass
class ObjectRegistry:
    """Objects by repository and reference, and what happens to a body under way.

    ``status`` other than 0 is the answer to everything, ``head_status`` to HEAD. A body
    pauses after ``pause_after`` bytes until ``go`` is set, and ends after ``cut_after``
    of them. A silent registry accepts requests, and answers when ``go`` is set.
    """

    port: int = 0
    objects: dict[tuple[str, str], Stored] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    status: int = 0
    head_status: int = 0
    named_digest: str = ""
    warning: str = ""
    success: int = 200
    coding: str = ""
    ignores_ranges: bool = False
    is_silent: bool = False
    pause_after: int | None = None
    cut_after: int | None = None
    is_chunked: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    sending: int = 0
    refuse_connections: Callable[[], None] = field(init=False)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def reset_pace(self) -> None:
        """Send bodies whole and at once again."""
        self.go.set()
        self.go = threading.Event()
        self.pause_after = self.cut_after = None
        self.is_silent = False

    def add(self, repository: str, body: bytes, media_type: str = "") -> str:
        """Store an object under its digest, and return that."""
        digest = digest_of(body)
        stored = Stored(media_type or "application/octet-stream", body)
        self.objects[repository, digest] = stored
        return digest

    def tag(self, repository: str, tag: str, body: bytes) -> str:
        """Store a manifest under its digest and a tag, and return the digest."""
        digest = self.add(repository, body, OCI_MANIFEST)
        self.objects[repository, tag] = Stored(OCI_MANIFEST, body)
        return digest

    def times(self, reference: str, method: str = "GET") -> int:
        """Return how often something was asked for."""
        return sum(
            item.method == method and item.path.endswith(f"/{reference}")
            for item in self.asked
        )


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: ObjectRegistry

    def do_GET(self) -> None:
        registry = self.registry
        wanted = self.headers.get("Range", "")
        registry.asked.append(Asked(self.command, self.path, wanted))
        repository, _, reference = self.path.removeprefix("/v2/").rsplit("/", 2)
        stored = registry.objects.get((repository, reference))
        if registry.is_silent:
            registry.go.wait(60)
        status = registry.status
        if self.command == "HEAD":
            status = status or registry.head_status
        if status or stored is None:
            self._send_head(status or 404, {"Content-Length": "0"})
            return
        digest = registry.named_digest or digest_of(stored.body)
        headers = {"Content-Type": stored.media_type, "Docker-Content-Digest": digest}
        if registry.warning:
            headers["Warning"] = registry.warning
        if registry.coding:
            headers["Content-Encoding"] = registry.coding
        if not wanted or registry.ignores_ranges:
            self._send(registry.success, headers, stored.body)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = stored.body[int(first) : int(last) + 1]
        place = f"bytes {first}-{last}/{len(stored.body)}"
        self._send(206, headers | {"Content-Range": place}, part)

    do_HEAD = do_GET  # noqa: N815 -- http.server's name

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        chunked = self.registry.is_chunked
        length = {"Content-Length": str(len(body))}
        coding = {"Transfer-Encoding": "chunked"}
        self._send_head(status, headers | (coding if chunked else length))
        if self.command == "HEAD":
            return
        self.registry.sending += 1
        try:
            self._send_body(body, chunked=chunked)
        finally:
            self.registry.sending -= 1

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, body: bytes, *, chunked: bool) -> None:
        registry = self.registry
        pause, cut = registry.pause_after, registry.cut_after
        for begin in range(0, len(body), PIECE):
            if pause is not None and begin >= pause:
                registry.go.wait(60)
            if cut is not None and begin >= cut:
                self.close_connection = True
                return
            piece = body[begin : begin + PIECE]
            framed = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
            self.wfile.write(framed)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, registry: ObjectRegistry) -> None:
        handler = type("Handler", (_Handler,), {"registry": registry})
        super().__init__(("127.0.0.1", registry.port), handler)
        self._clients: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self._clients.add(request)
        super().process_request(request, client_address)

    def stop(self) -> None:
        """Refuse connections, and end those that are open."""
        self.shutdown()
        self._thread.join()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing: the edge hangs up where a test wants that."""


@contextlib.contextmanager
def listening(registry: ObjectRegistry) -> Iterator[None]:
    """Accept connections during a block."""
    server = _Server(registry)
    registry.refuse_connections = server.stop
    try:
        yield
    finally:
        registry.go.set()
        server.stop()
