from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licenses.files.application_keys import replace_signing_key
from licenses.models import Application
from portal.errors import PortalError


class Command(BaseCommand):
    help = (
        "Give applications another key for their license files, because the one they "
        "have leaked. License files that are downloaded from now on are signed with "
        "it. Replace the root too: it vouched for the key that leaked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="+", metavar="APPLICATION")

    def handle(self, *args: object, **options: Any) -> None:
        slugs = set(options["slugs"])
        applications = list(Application.objects.filter(slug__in=slugs).order_by("slug"))
        unknown = sorted(slugs - {each.slug for each in applications})
        if unknown:
            raise CommandError(f"There is no application {', '.join(unknown)}.")
        for application in applications:
            try:
                replace_signing_key(application)
            except PortalError as error:
                raise CommandError(error.message) from error
            self.stdout.write(f"Replaced the key of {application.slug}")
