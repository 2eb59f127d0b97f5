from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from deploy.local.demo_settings import PROJECT


@pytest.mark.django_db
def test_a_current_schema_is_not_waited_for() -> None:
    output = StringIO()
    call_command("wait_for_schema", stdout=output)
    assert output.getvalue() == "The schema is current.\n"


@pytest.mark.django_db(transaction=True)
def test_an_old_schema_is_waited_for() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'licenses' RETURNING name"
        )
        names = [name for (name,) in cursor.fetchall()]
    try:
        output = StringIO()
        with pytest.raises(CommandError, match=r"lacks migrations.*Gave up"):
            call_command("wait_for_schema", "--seconds", "0.1", stdout=output)
        # Once, however often it looked.
        assert output.getvalue() == (
            "The database lacks migrations of this version. Waiting …\n"
        )
    finally:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO django_migrations (app, name, applied) "
                "VALUES ('licenses', %s, now())",
                [(name,) for name in names],
            )


def test_a_database_that_is_away_is_waited_for_without_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "wait_for_schema", "--seconds", "0.1"],
        cwd=PROJECT,
        env=os.environ | {"DATABASE_URL": "postgresql://who:what@127.0.0.1:9/which"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "CommandError: The database does not answer. Gave up." in done.stderr
    assert "what" not in done.stderr
