"""A million rows by COPY, without a million look-ups for each foreign key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.db.models import Model
from psycopg import sql

_FOREIGN_KEYS = """
SELECT conname, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE conrelid = %s::regclass AND contype = 'f'
"""


def copy_rows(model: type[Model], columns: Sequence[str], rows: Iterable[str]) -> None:
    """Insert rows in the text form of COPY. Call this inside a transaction."""
    table = sql.Identifier(model._meta.db_table)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)
    with (
        foreign_keys_checked_at_once(model),
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write(row)


@contextmanager
def foreign_keys_checked_at_once(model: type[Model]) -> Iterator[None]:
    """Drop a table's foreign keys, then restore them with one check of all rows.

    Call this inside a transaction: it either ends with all keys or changes nothing.
    The table is locked until then.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        # Earlier inserts would otherwise be checked at the end of the transaction.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(_FOREIGN_KEYS, [table])
        keys = cursor.fetchall()
        for name, _ in keys:
            cursor.execute(_alter(table, "DROP CONSTRAINT {}", name))
        yield
        for name, definition in keys:
            cursor.execute(_alter(table, "ADD CONSTRAINT {} " + definition, name))


def analyze() -> None:
    """Update the planner's row counts."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _alter(table: str, change: str, name: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} " + change).format(
        sql.Identifier(table), sql.Identifier(name)
    )
