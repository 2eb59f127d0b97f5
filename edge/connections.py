"""uvicorn's connections, limited in number and in the time of a request.

uvicorn waits for ever for the rest of a request, and for a client that does not read.
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


def most_connections() -> int:
    # A pull needs a second file, for the connection to its registry.
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most: int = settings.BERTH_EDGE_CONNECTIONS
    return min(most, files // 2)


@functools.cache
def _connections() -> FairShare:
    total = most_connections()
    return FairShare("edge-connections", total=total, each=total // 2)


class LimitedConnection(HttpToolsProtocol):
    """Ends if a request does not arrive whole in time, headers and body together."""

    _deadline: asyncio.TimerHandle | None = None
    _holder: Hashable | None = None

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
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # Several requests may arrive at once, and the last of them incomplete.
        self._expect_request()
        self.scope["state"]["disconnect"] = self.transport.abort

    def on_message_complete(self) -> None:
        self._stop_expecting()
        super().on_message_complete()

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
