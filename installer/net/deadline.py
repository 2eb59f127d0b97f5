"""One deadline for a whole request, whatever a server does to stretch it.

A socket's timeout restarts with every byte, so one byte a second or an endless header
line would never reach it. A timer shuts the socket down instead.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class Deadline:
    """The time by which a request must end; then its socket is shut down."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._passed = threading.Event()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self.end)
        self._timer.daemon = True
        self._timer.start()

    @property
    def has_passed(self) -> bool:
        return self._passed.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, but not past the deadline."""
        self._passed.wait(seconds)

    def end(self) -> None:
        """End the request now."""
        with self._lock:
            self._passed.set()
            if self._socket is not None:
                _shut_down(self._socket)

    def lift(self) -> None:
        """Stop the timer, so that a body may take as long as bytes arrive."""
        self._timer.cancel()

    def close(self) -> None:
        """Release the socket, which may now serve another request."""
        self.lift()
        with self._lock:
            self._socket = None

    def watch(self, connected: socket.socket) -> None:
        """Shut this socket down at the deadline, in place of an earlier one.

        Raises:
            TimeoutError: the deadline has passed.
        """
        with self._lock:
            if self._passed.is_set():
                raise TimeoutError
            self._socket = connected

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch every socket that this thread opens or reuses."""
        before = _running.set(self)
        try:
            yield
        finally:
            _running.reset(before)


_running: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)


def _shut_down(connected: socket.socket) -> None:
    # Not the TLS socket's own method, which would go on reading without TLS.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _watch(connected: socket.socket) -> None:
    deadline = _running.get()
    if deadline is not None:
        deadline.watch(connected)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        try:
            # A proxy may respond before TLS wraps this socket in another object.
            _watch(connected)
        except TimeoutError:
            connected.close()
            raise
        return connected

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        if self.sock is not None:
            _watch(self.sock)
        return super().getresponse()


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def watch_connections(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """Make a manager's connections obey the running deadline; return the manager."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
