from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from psycopg import sql

from deploy.local.demo_settings import PROJECT


def test_models_and_migrations_agree(db: None) -> None:
    output = StringIO()

    call_command("makemigrations", "--check", "--dry-run", stdout=output)

    assert output.getvalue() == "No changes detected\n"


@pytest.fixture
def empty_database() -> Iterator[str]:
    """Return the URL of a database without tables."""
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    name = f"migrated_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as server_connection:
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        server_connection.execute(create)
        yield f"{server}/{name}"
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        server_connection.execute(drop)


def start_migrate(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--skip-checks", *arguments],
        cwd=PROJECT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_several_processes_migrate_one_after_the_other(empty_database: str) -> None:
    first, second = start_migrate(empty_database), start_migrate(empty_database)
    outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    applied = [output.count("Applying licenses.0001_initial") for output in outputs]
    assert sorted(applied) == [0, 1]


def test_a_table_that_is_locked_is_not_waited_for(empty_database: str) -> None:
    """Pulls would queue behind the migration."""
    start_migrate(empty_database, "audit").communicate(timeout=120)
    with psycopg.connect(empty_database) as reader:
        reader.execute("SELECT FROM audit_auditevent")
        process = start_migrate(empty_database, "audit", "zero", "--lock-timeout", "1")
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "lock timeout" in output
        reader.execute("SELECT FROM audit_auditevent")


@pytest.mark.django_db
def test_an_older_schema_is_not_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'licenses'")
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["checks"]["database"] is True
    assert answer.json()["checks"]["schema"] is False


@pytest.mark.django_db
def test_a_database_without_tables_is_not_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO forgotten")
    assert Client().get("/readyz").json()["checks"]["schema"] is False


@pytest.mark.django_db
def test_a_newer_schema_is_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('licenses', '0002_from_the_next_version', now())"
        )
    assert Client().get("/readyz").status_code == 200
