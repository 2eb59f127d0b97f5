"""uvicorn's connections, limited in number, and each to one request of limited size.

uvicorn waits for ever for the rest of a request, and for a client that does not read.
It accepts any number of requests that a client sends in advance ("pipelining").
Run it with ``--http edge.connections:LimitedConnection``.
"""

from __future__ import annotations

import asyncio
import functools
import resource
import socket
from collections.abc import Hashable

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from portal.http.client_address import is_trusted_proxy, neighbourhood
from portal.limits.fair_share import FairShare, ShareExceeded

# Longer than edge/http.py waits for a body, so that most clients get its answer.
REQUEST_SECONDS = 40
# A client that reads nothing for this long is disconnected.
STALL_SECONDS = 300
# Of a request without its body; uvicorn has no limit, and a token has a few KB.
MAX_HEADER_BYTES = 64 * 1024


def most_connections() -> int:
    # A pull needs a second file, for the connection to its registry.
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most: int = settings.BERTH_EDGE_CONNECTIONS
    return min(most, files // 2)


@functools.cache
def _connections() -> FairShare:
    total = most_connections()
    return FairShare("edge-connections", total=total, each=total // 2)


class SentInAdvance(Exception):  # noqa: N818 -- states the fact
    """A request began before the client had the answer to the one before."""


class LimitedConnection(HttpToolsProtocol):
    """Ends if a request does not arrive whole in time, headers and body together.

    Ends at once if a request begins before the client has the answer to the one before.
    No registry client does that, and an answer must not wait until the client wants it.
    """

    _deadline: asyncio.TimerHandle | None = None
    _holder: Hashable | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        holder = self._who()
        try:
            _connections().take(holder)
        except ShareExceeded:
            transport.abort()
            return
        self._holder = holder
        self._limit_stalls()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        if self._holder is not None:
            _connections().give_back(self._holder)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._expect_request()
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes > MAX_HEADER_BYTES:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        self._header_bytes -= len(body)
        super().on_body(body)

    def on_message_begin(self) -> None:
        if self._owes_an_answer():
            self.transport.abort()
            # Ends parsing: the rest of what has arrived may be thousands of requests.
            raise SentInAdvance
        super().on_message_begin()
        # The rest of a request that was answered early may arrive together with this.
        self._expect_request()
        self.scope["state"]["disconnect"] = self.transport.abort

    def on_message_complete(self) -> None:
        self._stop_expecting()
        self._header_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _owes_an_answer(self) -> bool:
        if self.transport.get_write_buffer_size() > 0:
            return True
        return bool(self.cycle) and not self.cycle.response_complete

    def _who(self) -> Hashable:
        """Return whose share this is; a reverse proxy's connections are of many."""
        peer = self.client[0] if self.client else ""
        if not peer or is_trusted_proxy(peer, settings.BERTH_TRUSTED_PROXIES):
            return self
        return neighbourhood(peer)

    def _limit_stalls(self) -> None:
        """Let the kernel notice a stall, for connections that are closing too."""
        if self.client is not None:
            connected: socket.socket = self.transport.get_extra_info("socket")
            connected.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_SECONDS * 1000
            )

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
