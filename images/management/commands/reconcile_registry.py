from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from images.client import PrivateRegistryProblem, is_configured
from images.reconciliation import reconcile_to_the_end


class Command(BaseCommand):
    help = (
        "Walk through the private registry's catalogue and mend the portal's list of "
        "images by it. The worker does so every hour; this does it now, after a "
        "restore or a garbage collection, and says what it found."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--accept-empty",
            action="store_true",
            help="The registry is meant to hold nothing: forget all images.",
        )

    def handle(self, *args: object, **options: Any) -> None:
        if not is_configured():
            raise CommandError(
                "This installation has no private registry: BERTH_REGISTRY_URL and "
                "BERTH_TOKEN_SIGNING_KEY are not both set."
            )
        try:
            found = reconcile_to_the_end(accept_empty=options["accept_empty"])
        except PrivateRegistryProblem as problem:
            raise CommandError(problem.message) from problem
        self.stdout.write(
            f"Repositories: {found.repositories}. Tags that were added: {found.added}."
        )
        for name in found.unknown:
            self.stdout.write(f"{name} belongs to no application.")
