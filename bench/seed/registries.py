"""Very many connected registries, for choosing which of them are checked next."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from portal.crypto.secrets import Secret
from registries.models import Credential, ExternalRegistry
from teams.models import Team

TEAMS = 50
BATCH = 5_000
# Provider, host and how many of a hundred registries are on it. The others have a host
# of their own.
SHARED_HOSTS = (
    ("dockerhub", "index.docker.io", 15),
    ("ghcr", "ghcr.io", 8),
    ("quay", "quay.io", 5),
    ("gitlab", "registry.gitlab.com", 2),
)

# Those that are due have been for up to a quarter of an hour, the others are not for
# an hour at least.
_PLAN = """
UPDATE registries_externalregistry
SET claimed_until = NULL,
    next_check_at = now() - random() * interval '15 minutes'
        + CASE WHEN random() < %s THEN interval '0' ELSE interval '75 minutes' END
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password that an upstream takes."""

    username: str
    password: Secret


@transaction.atomic
def seed_registries(count: int) -> None:
    """Add teams with ``count`` registries in all, each with a credential in use."""
    teams = Team.objects.bulk_create(
        Team(name=f"Team {number}", slug=f"team-{number}") for number in range(TEAMS)
    )
    login = Login("seed", Secret(secrets.token_urlsafe(16)))
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        _connect(
            [_registry(teams[number % TEAMS], number) for number in numbers], login
        )


@transaction.atomic
def seed_upstream(host: str, count: int, login: Login) -> None:
    """Add a team with ``count`` registries, all of them the one at ``host``."""
    name = host.replace(":", "-")
    team = Team.objects.create(name=name, slug=name)
    _connect(
        [
            ExternalRegistry(
                team=team, provider="other", endpoint=host, slug=f"registry{number}"
            )
            for number in range(count)
        ],
        login,
    )


def _registry(team: Team, number: int) -> ExternalRegistry:
    provider, endpoint = _host(number)
    return ExternalRegistry(
        team=team, provider=provider, endpoint=endpoint, slug=f"registry{number}"
    )


def _host(number: int) -> tuple[str, str]:
    place = random.randrange(100)
    for provider, host, share in SHARED_HOSTS:
        if place < share:
            return provider, host
        place -= share
    return "other", f"registry.customer{number}.example"


def _connect(registries: Sequence[ExternalRegistry], login: Login) -> None:
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
    """Have that share of all registries due, none of them claimed."""
    with connection.cursor() as cursor:
        cursor.execute(_PLAN, [due])


def make_host_due(host: str) -> None:
    """Have all registries of a host due, none of them claimed."""
    ExternalRegistry.objects.filter(endpoint=host).update(
        claimed_until=None, next_check_at=timezone.now()
    )


def move_to_one_host(host: str) -> None:
    """Have all registries be on one host."""
    ExternalRegistry.objects.update(endpoint=host)
