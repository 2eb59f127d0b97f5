"""Inserting a million rows without a million look-ups for each foreign key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from psycopg import sql

_FOREIGN_KEYS = """
SELECT conname, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE conrelid = %s::regclass AND contype = 'f'
"""


@contextmanager
def foreign_keys_checked_at_once(table: str) -> Iterator[None]:
    """Take a table's foreign keys away, and back with one check of all rows.

    Inside a transaction, which nobody else sees: it either ends with all of the keys
    or changes nothing. The table is locked until then.
    """
    with connection.cursor() as cursor:
        # What was inserted before would otherwise be checked at the very end.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(_FOREIGN_KEYS, [table])
        keys = cursor.fetchall()
        for name, _ in keys:
            cursor.execute(_alter(table, "DROP CONSTRAINT {}", name))
        yield
        for name, definition in keys:
            cursor.execute(_alter(table, "ADD CONSTRAINT {} " + definition, name))


def _alter(table: str, change: str, name: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} " + change).format(
        sql.Identifier(table), sql.Identifier(name)
    )
