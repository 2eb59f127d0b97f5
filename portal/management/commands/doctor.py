from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.doctor.examination import examine
from portal.doctor.findings import Finding, Status


class Command(BaseCommand):
    # What they would say is found below.
    requires_system_checks: list[str] = []
    help = (
        "Check this installation: its settings, keys, database, clock and Redis, what "
        "clients see of portal and proxy, and the private registry. Says what to do "
        "about each failure. Exit code 1 if a check failed. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON instead.")

    def handle(self, *args: object, **options: Any) -> None:
        findings = examine()
        if options["json"]:
            fields = [dataclasses.asdict(item) for item in findings]
            self.stdout.write(json.dumps(fields, indent=2))
        else:
            for item in findings:
                self._print(item)
        if any(item.status is Status.FAILED for item in findings):
            sys.exit(1)

    def _print(self, item: Finding) -> None:
        self.stdout.write(f"{item.status.upper():8} {item.check}: {item.text}")
        if item.advice:
            self.stdout.write(f"{'':9}{item.advice}")
