"""Calling the database, which is synchronous, from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")
DATABASE_THREADS = 8


class DatabaseThreads:
    """A few threads, each with a database connection of its own that stays open."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(
            DATABASE_THREADS, thread_name_prefix="edge-database"
        )

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function in a thread, once more if its connection had gone stale."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, _with_live_connection, function
        )

    async def close(self) -> None:
        """Let running calls end, then end the threads with their connections."""
        await asyncio.to_thread(self._executor.shutdown)


def _with_live_connection(function: Callable[[], T]) -> T:
    try:
        return function()
    except (OperationalError, InterfaceError):
        # The server was restarted, or dropped the connection. What runs here only
        # reads, or counts, so that a second run does no harm.
        connection.close()
        return function()
