"""Calling the database, which is synchronous, from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

T = TypeVar("T")
DATABASE_THREADS = 8
# The edge reads single rows; a slower statement means a database in trouble.
STATEMENT_TIMEOUT = "5s"


class DatabaseThreads:
    """A few threads, each with its own database connection that stays open."""

    def __init__(self, count: int = DATABASE_THREADS) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="edge-database")
        connection_created.connect(_limit_statements)

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function in a thread, and retry once if its connection was stale."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, _with_live_connection, function
        )

    def start(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, without waiting for it."""
        self._executor.submit(_with_live_connection, function)

    async def close(self) -> None:
        """Wait for running calls, then end the threads and their connections."""
        await asyncio.to_thread(self._executor.shutdown)


def _limit_statements(connection: BaseDatabaseWrapper, **_kwargs: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, false)", [STATEMENT_TIMEOUT]
        )


def _with_live_connection(function: Callable[[], T]) -> T:
    try:
        return function()
    except (OperationalError, InterfaceError):
        # The server restarted or dropped the connection. Functions here only read, or
        # write in one transaction, so a second run does no harm.
        connection.close()
        return function()
