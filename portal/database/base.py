"""Django's PostgreSQL backend, with a deadline for every wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from psycopg import IsolationLevel
from psycopg_pool import PoolTimeout

from portal.database import deadlines
from portal.database.connection import Connection
from portal.database.outage import STATEMENT_TIMEOUT_SECONDS, outage


class DatabaseWrapper(base.DatabaseWrapper):
    # Of every transaction, and not of the session, which PgBouncer shares with others.
    transaction_settings: Mapping[str, str] = MappingProxyType({})

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Take a connection from the pool, within the time of the current work.

        Raises:
            OperationalError: there is none in time.
        """
        if self.pool is None:  # only for the creation of test databases
            return super().get_new_connection(conn_params)
        outage.check()
        connection = self._wait_for_pool()
        outage.end()
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if isinstance(self.connection, Connection) and not settings.DATABASE_PGBOUNCER:
            is_request = deadlines.is_limited()
            self.connection.limit_statements(
                STATEMENT_TIMEOUT_SECONDS if is_request else 0
            )

    def set_autocommit(self, autocommit: bool, *args: Any, **kwargs: Any) -> None:
        """Begin a transaction with its settings, or end one."""
        super().set_autocommit(autocommit, *args, **kwargs)
        if not autocommit and self.transaction_settings:
            with self.cursor() as cursor:
                for setting in self.transaction_settings.items():
                    cursor.execute("SELECT set_config(%s, %s, true)", setting)

    def _wait_for_pool(self) -> Connection:
        self.isolation_level = IsolationLevel.READ_COMMITTED
        self.pool.open()
        started = time.monotonic()
        limit = min(self.pool.timeout, deadlines.seconds_left())
        try:
            with deadlines.spending():
                connection: Connection = self.pool.getconn(limit)
        except PoolTimeout:
            outage.waited(time.monotonic() - started)
            raise
        return connection
