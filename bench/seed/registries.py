"""Many connected registries, to choose from for the next checks."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from portal.crypto.secrets import Secret
from registries.models import Credential, ExternalRegistry
from teams.models import Team

TEAMS = 50
BATCH = 5_000
# Host, provider and percentage of all registries. The others have a host each.
SHARED_HOSTS = (
    ("index.docker.io", "dockerhub", 15),
    ("ghcr.io", "ghcr", 8),
    ("quay.io", "quay", 5),
    ("registry.gitlab.com", "gitlab", 2),
)

# Due registries have been due for up to 15 minutes; the others are not due for at
# least an hour.
_PLAN = """
UPDATE registries_externalregistry
SET claimed_until = NULL,
    next_check_at = now() - random() * interval '15 minutes'
        + CASE WHEN random() < %s THEN interval '0' ELSE interval '75 minutes' END
"""


@dataclass(frozen=True, slots=True)
class Login:
    """The username and password for an upstream."""

    username: str
    password: Secret


@transaction.atomic
def seed_registries(count: int) -> None:
    """Add teams with ``count`` registries in all, each with an active credential."""
    teams = add_teams("team")
    login = Login("seed", Secret(secrets.token_urlsafe(16)))
    for start in range(0, count, BATCH):
        registries = [
            registry_row(teams[number % TEAMS], number, *_draw_host(number))
            for number in range(start, min(start + BATCH, count))
        ]
        add_registries(registries, login)


@transaction.atomic
def seed_upstream(host: str, count: int, login: Login) -> None:
    """Add a team with ``count`` registries, all at ``host``."""
    name = host.replace(":", "-")
    team = Team.objects.create(name=name, slug=name)
    add_registries([registry_row(team, number, host) for number in range(count)], login)


def add_teams(prefix: str) -> list[Team]:
    return Team.objects.bulk_create(
        Team(name=f"Team {number}", slug=f"{prefix}-{number}")
        for number in range(TEAMS)
    )


def registry_row(
    team: Team, number: int, endpoint: str, provider: str = "other"
) -> ExternalRegistry:
    return ExternalRegistry(
        team=team, provider=provider, endpoint=endpoint, slug=f"registry{number}"
    )


def _draw_host(number: int) -> tuple[str, str]:
    place = random.randrange(100)
    for host, provider, share in SHARED_HOSTS:
        if place < share:
            return host, provider
        place -= share
    return f"registry.customer{number}.example", "other"


def add_registries(registries: Sequence[ExternalRegistry], login: Login) -> None:
    """Store registries, each with an active credential."""
    ExternalRegistry.objects.bulk_create(registries)
    Credential.objects.bulk_create(
        Credential(
            team_id=registry.team_id,
            registry=registry,
            auth_type="password",
            active=True,
            username=Secret(login.username),
            secret=login.password,
        )
        for registry in registries
    )


def plan_checks(*, due: float) -> None:
    """Make this share of all registries due, and release all claims."""
    with connection.cursor() as cursor:
        cursor.execute(_PLAN, [due])


def make_due(**filters: Any) -> None:
    """Make some registries due, and release their claims."""
    ExternalRegistry.objects.filter(**filters).update(
        claimed_until=None, next_check_at=timezone.now()
    )
