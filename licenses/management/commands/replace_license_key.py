from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licenses.files.application_keys import replace_signing_key
from licenses.models import Application
from portal.errors import PortalError


class Command(BaseCommand):
    help = (
        "Replace applications' license file keys after a leak. License files that are "
        "downloaded from now on are signed with the new key. Replace the root too: it "
        "signed the leaked key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="+", metavar="APPLICATION")

    def handle(self, *args: object, **options: Any) -> None:
        slugs = set(options["slugs"])
        applications = list(Application.objects.filter(slug__in=slugs).order_by("slug"))
        unknown = sorted(slugs - {application.slug for application in applications})
        if unknown:
            raise CommandError(f"Unknown application: {', '.join(unknown)}.")
        for application in applications:
            try:
                replace_signing_key(application)
            except PortalError as error:
                raise CommandError(error.message) from error
            self.stdout.write(f"Replaced the key of {application.slug}")
