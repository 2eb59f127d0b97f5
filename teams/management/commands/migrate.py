"""Django's ``migrate``, which may be started twice and while pulls are served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

from portal.database.base import DatabaseWrapper
from portal.database.exclusive import exclusively

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
        alias = options["database"]
        with (
            exclusively(LOCK, before_waiting=self._say_that_it_waits, alias=alias),
            _lock_timeout(alias, options["lock_timeout"]),
        ):
            super().handle(*args, **options)

    def _say_that_it_waits(self) -> None:
        self.stdout.write("Another migrate is running. Waiting for it …")


@contextmanager
def _lock_timeout(alias: str, seconds: int) -> Iterator[None]:
    connection = cast(DatabaseWrapper, connections[alias])
    connection.transaction_settings = {"lock_timeout": f"{seconds}s"}
    try:
        yield
    finally:
        connection.transaction_settings = {}
