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
from portal.database.outage import STATEMENT_TIMEOUT_SECONDS, outage

T = TypeVar("T")
INTERVAL = 0.1


class Connection(psycopg.Connection[TupleRow]):
    """Waits for its server no longer than the current work may.

    Neither ``statement_timeout`` nor ``tcp_user_timeout`` ends the wait for a frozen
    server: the first is the server's own, and the kernel still acknowledges packets.
    """

    _ends_slow_statements = False

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

    def end_slow_statements(self) -> None:
        """Let the server end slow statements of requests before the client gives up."""
        if not self._ends_slow_statements:
            self.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
            self._ends_slow_statements = True

    def _given_up(self) -> psycopg.OperationalError:
        self.close()
        return psycopg.OperationalError("PostgreSQL did not answer in time")
