from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registries.checks.attempt import CheckResult
from registries.checks.queue import check_credentials, make_all_due
from registries.models import Credential, ExternalRegistry
from registries.models.health import Outcome
from teams.models import Team

HEADINGS = ("REGISTRY", "OUTCOME", "SINCE", "DETAIL")


class Command(BaseCommand):
    help = (
        "Check the credentials of a team's registries: soon, by the workers, or with "
        "--now by this command, which then exits with 1 if any is not valid."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--team", required=True, help="The team's slug.")
        parser.add_argument("--registry", help="One registry's slug (default: all).")
        parser.add_argument(
            "--now", action="store_true", help="Check now and print the results."
        )

    def handle(self, *args: object, **options: Any) -> None:
        versions = _credentials(options["team"], options["registry"])
        if options["now"]:
            self._report(versions, check_credentials(versions))
        else:
            make_all_due([version.registry_id for version in versions])
            self.stdout.write(
                f"Due now: {len(versions)}. The workers check them within seconds."
            )

    def _report(self, versions: list[Credential], results: list[CheckResult]) -> None:
        rows = [HEADINGS]
        for version, result in zip(versions, results, strict=True):
            rows.append(_row(version, result))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())
        failed = sum(result.outcome is not Outcome.VALID for result in results)
        if failed:
            raise CommandError(f"Not valid: {failed} of {len(results)}.")


def _credentials(team_slug: str, slug: str | None) -> list[Credential]:
    team = Team.objects.filter(slug=team_slug).first()
    if team is None:
        raise CommandError(f"Team not found: {team_slug}")
    versions = (
        Credential.objects.for_team(team.pk)
        .filter(active=True)
        .select_related("registry")
        .order_by("registry__slug")
    )
    if slug is None:
        return list(versions)
    selected = list(versions.filter(registry__slug=slug))
    if not selected:
        raise CommandError(f"The team {team_slug} has no registry {slug}.")
    return selected


def _row(version: Credential, result: CheckResult) -> tuple[str, str, str, str]:
    registry = ExternalRegistry.objects.for_team(version.team_id).get(
        pk=version.registry_id
    )
    # One failure does not change the health, so the health may differ or be empty.
    since = registry.health_since if registry.health == result.outcome else None
    shown = f"{since:%Y-%m-%d %H:%M} UTC" if since else "-"
    return registry.slug, result.outcome, shown, result.detail
