from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection

from portal.health import schema_is_current

STEP_SECONDS = 1.0


class Command(BaseCommand):
    # It needs no page, and starts in half the time.
    requires_system_checks: list[str] = []
    help = (
        "Wait until the database has had every migration of this version. Worker and "
        "beat, which have no /readyz, are started after it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seconds",
            type=float,
            default=600,
            help="Give up after so long (default: %(default)s).",
        )

    def handle(self, *args: object, **options: Any) -> None:
        deadline = time.monotonic() + options["seconds"]
        said = ""
        while problem := _problem():
            if time.monotonic() > deadline:
                raise CommandError(f"{problem} Gave up.")
            if problem != said:
                self.stdout.write(f"{problem} Waiting …")
                said = problem
            time.sleep(STEP_SECONDS)
        self.stdout.write("The schema is current.")


def _problem() -> str:
    try:
        if schema_is_current():
            return ""
    except Error:
        # Not its text, which may name the user.
        return "The database does not answer."
    finally:
        connection.close()
    return "The database lacks migrations of this version."
