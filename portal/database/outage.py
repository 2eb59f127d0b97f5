"""Remembers that PostgreSQL does not answer, so that few callers wait to learn it.

Otherwise every thread would wait, and each request behind them would wait in line.
"""

from __future__ import annotations

import threading
import time

from psycopg import OperationalError

from portal.database.deadlines import REQUEST_SECONDS

# The server itself ends a slower statement of a request. One that takes longer shows
# that the server does not answer at all.
STATEMENT_TIMEOUT_SECONDS = 4
RETRY_SECONDS = 1.0


class Outage:
    """Whether PostgreSQL was silent last time; one caller at a time tries again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retry_at = 0.0

    def check(self) -> None:
        """Return if this caller may try.

        Raises:
            OperationalError: the server is silent, and it is not yet time to retry, or
                another caller tries.
        """
        now = time.monotonic()
        with self._lock:
            if now < self._retry_at:
                raise OperationalError("PostgreSQL did not answer a moment ago")
            if self._retry_at:
                self._retry_at = now + REQUEST_SECONDS

    def waited(self, seconds: float) -> None:
        """Note that the server was silent for so long."""
        if seconds > STATEMENT_TIMEOUT_SECONDS:
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def end(self) -> None:
        self._retry_at = 0.0


outage = Outage()
