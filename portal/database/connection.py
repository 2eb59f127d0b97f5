"""A connection whose every wait has an end."""

from __future__ import annotations

import math
import time
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.rows import TupleRow

from portal.database import deadlines
from portal.database.outage import outage

T = TypeVar("T")
INTERVAL = 0.1


class Connection(psycopg.Connection[TupleRow]):
    """Waits for its server no longer than the current work may.

    Neither ``statement_timeout`` nor ``tcp_user_timeout`` ends the wait for a frozen
    server: the first is the server's own, and the kernel still acknowledges packets.
    """

    _statement_timeout = 0

    def wait(
        self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None
    ) -> T:
        """Complete an operation; after the deadline, close the connection.

        What the server did with the operation is then unknown.

        Raises:
            OperationalError: the server did not answer in time.
        """
        left = deadlines.seconds_left()
        if left <= 0:
            raise self._given_up()
        limit = None if math.isinf(left) else left
        started = time.monotonic()
        try:
            with deadlines.spending():
                return super().wait(gen, interval, timeout or limit)
        except _WaitTimeout:
            if timeout is not None:
                raise
        outage.waited(time.monotonic() - started)
        raise self._given_up()

    def limit_statements(self, seconds: int) -> None:
        """Let the server end slower statements itself; 0 means no limit."""
        if seconds != self._statement_timeout:
            self.execute(f"SET statement_timeout = '{seconds}s'")
            self._statement_timeout = seconds

    def _given_up(self) -> psycopg.OperationalError:
        self.close()
        return psycopg.OperationalError("PostgreSQL did not answer in time")
