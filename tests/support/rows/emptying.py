"""Emptying the database after a test that commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.color import Style
from django.db import connection
from django.db.models.signals import post_migrate

from audit.models import AuditEvent

_AUDIT_LOG = AuditEvent._meta.db_table
# Other processes wait: what they read or add in between would refer to deleted rows.
_EMPTY = """
DO $$
DECLARE
    name text;
BEGIN
    LOOP
        BEGIN
            LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN deadlock_detected THEN
            -- Again: another process reads them in another order.
        END;
    END LOOP;
    FOREACH name IN ARRAY '{{{tables}}}'::text[] LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    IF EXISTS (SELECT 1 FROM {audit_log}) THEN
        TRUNCATE {audit_log};
    END IF;
END $$
"""


def empty_by_deleting() -> None:
    """Have Django's ``flush`` delete rows where it truncates tables.

    That takes a fiftieth of the time, as there are few rows and many tables. What the
    migrations have written stays, so nothing has to be written again. The audit log
    refuses to delete, so it is truncated.
    """
    post_migrate.receivers.clear()
    kept = {table for table in _tables() if _has_rows(table)}

    def sql_flush(_style: Style, tables: Sequence[str], **_options: Any) -> list[str]:
        names = ", ".join(sorted({*tables} - kept - {_AUDIT_LOG}))
        return [_EMPTY.format(tables=names, audit_log=_AUDIT_LOG)]

    connection.ops.sql_flush = sql_flush  # type: ignore[assignment, method-assign]


def _tables() -> list[str]:
    return connection.introspection.django_table_names(
        only_existing=True, include_views=False
    )


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')  # noqa: S608
        return bool(cursor.fetchone()[0])
