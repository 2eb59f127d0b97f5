from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from images.client import PrivateRegistryProblem, is_configured
from images.reconciliation import reconcile_fully


class Command(BaseCommand):
    help = (
        "Update the list of images from the private registry's catalog now, for "
        "example after a restore or garbage collection, and print the result. The "
        "worker does this every hour."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--accept-empty",
            action="store_true",
            help="The registry is empty on purpose: delete all images from the list.",
        )

    def handle(self, *args: object, **options: Any) -> None:
        if not is_configured():
            raise CommandError(
                "No private registry is configured: set BERTH_REGISTRY_URL and "
                "BERTH_TOKEN_SIGNING_KEY."
            )
        try:
            result = reconcile_fully(accept_empty=options["accept_empty"])
        except PrivateRegistryProblem as problem:
            raise CommandError(problem.message) from problem
        self.stdout.write(
            f"Repositories: {result.repositories}. Added tags: {result.added}."
        )
        for name in result.unknown:
            self.stdout.write(f"{name} does not belong to an application.")
