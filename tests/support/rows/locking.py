"""Rows that another transaction holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection, models


@contextmanager
def locked_elsewhere(row: models.Model) -> Iterator[None]:
    """Hold a committed row in another connection; this one waits for it 2 s at most."""
    database = connection.settings_dict
    with (
        psycopg.connect(
            host=database["HOST"],
            port=database["PORT"],
            dbname=database["NAME"],
            user=database["USER"],
            password=database["PASSWORD"],
        ) as other,
        connection.cursor() as cursor,
    ):
        table = row._meta.db_table
        other.execute(f'SELECT FROM "{table}" WHERE id = %s FOR UPDATE', [row.pk])
        cursor.execute("SET lock_timeout = '2s'")
        yield
        cursor.execute("RESET lock_timeout")
        other.rollback()
