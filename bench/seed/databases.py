"""Databases of the same shape with few and with many licenses, used in turn."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from bench.seed.licenses import seed_licenses

DATABASES = ("bench_few", "bench_many")


def copy_databases() -> None:
    """Make both databases as copies of the current one, which nobody may use."""
    for name in DATABASES:
        copy_current_database(name)


def copy_current_database(name: str) -> None:
    """Make a copy of the current database, which nobody may use."""
    original = connection.settings_dict["NAME"]
    _disconnect()
    create_database(name, template=original)


def create_database(name: str, *, template: str = "template1") -> None:
    """Create a database on the same server, empty or as a copy of another one."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    identifiers = map(sql.Identifier, (name, template))
    with psycopg.connect(
        settings.DATABASE_URL, dbname="template1", autocommit=True
    ) as server:
        server.execute(statement.format(*identifiers))


def fill_database(name: str, licenses: int) -> None:
    """Switch to a database and seed its licenses."""
    use_database(name)
    seed_licenses(licenses)


def use_database(name: str) -> None:
    """Switch this process to another database."""
    _disconnect()
    connection.settings_dict["NAME"] = name


def database_url(name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()


def _disconnect() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has one
