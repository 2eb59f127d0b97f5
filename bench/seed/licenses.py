"""Many licenses, fast: real encrypted IDs and look-up digests, written with COPY."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from bench.seed.bulk import foreign_keys_checked_at_once
from bench.seed.license_rows import COLUMNS, Holder, license_rows
from licenses.models import Application, Channel, Customer, License
from portal.crypto.secrets import Secret
from registries.models import Credential, ExternalRegistry
from teams.models import Team

TEAMS = 50
APPLICATIONS = 4
REGISTRIES = 3
LICENSES_PER_CUSTOMER = 40


@transaction.atomic
def seed_licenses(count: int) -> None:
    """Add teams with applications, registries and customers, and ``count`` licenses.

    Of a hundred licenses, about five have expired and three are revoked. It can be
    repeated: names of one run do not clash with those of another.
    """
    prefix = f"seed-{secrets.token_hex(3)}"
    teams = Team.objects.bulk_create(
        Team(name=f"Team {number}", slug=f"{prefix}-{number}")
        for number in range(TEAMS)
    )
    holders: list[Holder] = []
    for team in teams:
        _connect_registries(team)
        customers = _add_customers(team, count)
        holders += _holders(team, _add_channels(team), customers)
    with foreign_keys_checked_at_once(License._meta.db_table):
        _copy_licenses(holders, count)


def seed_vendor(team: Team) -> None:
    """Give a team applications with a channel each, and registries."""
    _connect_registries(team)
    _add_channels(team)


def _copy_licenses(holders: Sequence[Holder], count: int) -> None:
    table = sql.Identifier(License._meta.db_table)
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in license_rows(holders, count):
            copy.write(row)


def analyze() -> None:
    """Let the planner know how many rows there are."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _add_customers(team: Team, licenses: int) -> list[Customer]:
    number = max(1, licenses // LICENSES_PER_CUSTOMER // TEAMS)
    return Customer.objects.bulk_create(
        Customer(team=team, name=f"Customer {each}") for each in range(number)
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


def _connect_registries(team: Team) -> None:
    registries = ExternalRegistry.objects.bulk_create(
        ExternalRegistry(
            team=team,
            provider="other",
            endpoint=f"registry{number}.example.com",
            slug=f"registry{number}",
        )
        for number in range(REGISTRIES)
    )
    Credential.objects.bulk_create(
        Credential(
            team=team,
            registry=registry,
            auth_type="password",
            active=True,
            **_login(),
        )
        for registry in registries
    )


def _login() -> dict[str, Any]:
    return {
        "username": Secret("seed"),
        "secret": Secret(secrets.token_urlsafe(16)),
    }


def _holders(
    team: Team, channels: Sequence[Channel], customers: Sequence[Customer]
) -> Iterator[Holder]:
    for customer in customers:
        for channel in channels:
            yield Holder(team.pk, customer.pk, channel.application_id, channel.pk)
