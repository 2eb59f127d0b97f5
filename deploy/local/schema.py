"""Whether this checkout can use the database that a demo has left behind."""

from __future__ import annotations

import hashlib

from deploy.local.demo_settings import PROJECT, DemoSettings
from deploy.local.private_files import write_private
from deploy.local.process import LocalStackError


def claim_database(settings: DemoSettings) -> None:
    """Record which migrations create the demo's database.

    Raises:
        LocalStackError: the database was created by other migrations than these.
    """
    record = settings.directory / "migrations"
    migrations = _migrations()
    if (settings.directory / "postgres").exists():
        applied = record.read_text().splitlines() if record.exists() else ["unknown"]
        if not migrations.issuperset(applied):
            raise LocalStackError(
                f"The data in {settings.directory} were created by another version of "
                "Berth and do not fit this one. Remove them with "
                f"`rm -r {settings.directory}`, or keep them and choose another "
                "directory with BERTH_DEMO_DIR=DIRECTORY."
            )
    # Before the first migration: a start that is interrupted can be repeated.
    write_private(record, "".join(f"{line}\n" for line in sorted(migrations)))


def _migrations() -> set[str]:
    # By content: until the first release, migrations are replaced under their names.
    return {
        f"{path.relative_to(PROJECT)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in PROJECT.glob("*/migrations/[0-9]*.py")
    }
