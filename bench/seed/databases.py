"""Databases of equal shape with few and with many rows, used in turn."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql


def copy_database(name: str) -> None:
    """Make a database that is a copy of the present one, which nobody may use."""
    original = connection.settings_dict["NAME"]
    _disconnect()
    with psycopg.connect(
        settings.DATABASE_URL, dbname="template1", autocommit=True
    ) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(original)
            )
        )


def use_database(name: str) -> None:
    """Have every later query of this process go to another database."""
    _disconnect()
    connection.settings_dict["NAME"] = name


def database_url(name: str) -> str:
    """Return the URL of another database of this process's server."""
    return urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()


def _disconnect() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has one
