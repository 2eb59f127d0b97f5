"""Django's ``migrate``, which may be started twice and while pulls are served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

# Any number that no other advisory lock of Berth has.
LOCK = 0x6D69677261746501


class Command(migrate.Command):
    help = (
        "Apply migrations, one process at a time. A migration that cannot lock a "
        "table in time fails and changes nothing: pulls would wait behind it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout",
            type=int,
            default=5,
            help="Seconds that a migration waits to lock a table. Default: 5.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with (
            self._alone(options["database"]),
            _lock_timeout(options["database"], options["lock_timeout"]),
        ):
            super().handle(*args, **options)

    @contextmanager
    def _alone(self, database: str) -> Iterator[None]:
        """Hold a lock on a connection of its own.

        It is a transaction's, and not a session's, because PgBouncer gives a session's
        connection to somebody else after each transaction.
        """
        other = connections[database].copy()
        try:
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
                if not cursor.fetchone()[0]:
                    self.stdout.write("Another migrate is running. Waiting for it …")
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            yield
        finally:
            other.rollback()
            other.close()


@contextmanager
def _lock_timeout(database: str, seconds: int) -> Iterator[None]:
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{seconds}s"])
    yield
    # After a failure the command ends, and its session with it.
    with connections[database].cursor() as cursor:
        cursor.execute("RESET lock_timeout")
