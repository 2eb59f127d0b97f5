"""One process at a time, by an advisory lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections


@contextmanager
def exclusively(
    lock: int,
    *,
    before_waiting: Callable[[], object] | None = None,
    alias: str = DEFAULT_DB_ALIAS,
) -> Iterator[bool]:
    """Hold a lock while inside; yield whether it was free.

    If it is not, and with ``before_waiting``, that is called, and the lock waited for.

    It is held by a transaction on a connection of its own, and not by a session:
    PgBouncer gives a session's connection to somebody else after each transaction.
    """
    other = connections[alias].copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
            has_lock = cursor.fetchone()[0]
            if not has_lock and before_waiting is not None:
                before_waiting()
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
                has_lock = True
        yield has_lock
    finally:
        other.rollback()
        other.close()
