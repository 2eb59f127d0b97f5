"""Many licenses: real encrypted IDs and look-up digests, written with COPY."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import partial

from django.db import transaction

from bench.harness.rounds import say, timed
from bench.seed.bulk import analyze, copy_rows
from bench.seed.license_rows import COLUMNS, Holder, license_rows
from bench.seed.registries import TEAMS, Login, add_registries, add_teams, registry_row
from licenses.models import Application, Channel, Customer, License
from portal.crypto.secrets import Secret
from teams.models import Team

APPLICATIONS = 4
REGISTRIES = 3
LICENSES_PER_CUSTOMER = 40


def seed_licenses(count: int) -> None:
    """Add teams with applications, registries and customers, and ``count`` licenses.

    About five in a hundred licenses have expired and three are revoked. Repeated calls
    use different names.
    """
    say(f"Seeding {count:,} licenses …")
    _, milliseconds = timed(partial(_seed, count))
    say(f"  took {milliseconds / 1000:.0f} s")
    analyze()


@transaction.atomic
def _seed(count: int) -> None:
    holders: list[Holder] = []
    for team in add_teams(f"seed-{secrets.token_hex(3)}"):
        channels = seed_vendor(team)
        holders += _holders(team, channels, _add_customers(team, count))
    copy_rows(License, COLUMNS, license_rows(holders, count))


def seed_vendor(team: Team) -> list[Channel]:
    """Give a team registries, and applications with a channel each."""
    login = Login("seed", Secret(secrets.token_urlsafe(16)))
    add_registries(
        [
            registry_row(team, number, f"registry{number}.example.com")
            for number in range(REGISTRIES)
        ],
        login,
    )
    return _add_channels(team)


def _add_customers(team: Team, licenses: int) -> list[Customer]:
    count = max(1, licenses // LICENSES_PER_CUSTOMER // TEAMS)
    return Customer.objects.bulk_create(
        Customer(team=team, name=f"Customer {number}") for number in range(count)
    )


def _add_channels(team: Team) -> list[Channel]:
    applications = Application.objects.bulk_create(
        Application(team=team, name=f"App {number}", slug=f"{team.slug}-app{number}")
        for number in range(APPLICATIONS)
    )
    return Channel.objects.bulk_create(
        Channel(
            team=team,
            application=application,
            name="Stable",
            slug="stable",
            is_default=True,
        )
        for application in applications
    )


def _holders(
    team: Team, channels: Sequence[Channel], customers: Sequence[Customer]
) -> Iterator[Holder]:
    for customer in customers:
        for channel in channels:
            yield Holder(team.pk, customer.pk, channel.application_id, channel.pk)
