"""External registries of the example team, in different health.

Made without the service that connects one: it would have the worker try credentials
that nobody ever issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.models import Application
from portal.crypto.secrets import Secret
from registries.models import (
    Credential,
    CredentialCheck,
    ExternalRegistry,
    RegistryShare,
)
from registries.models.health import Outcome
from teams.actors import Actor
from teams.models import Team


@dataclass(frozen=True, slots=True)
class _Plan:
    provider: str
    endpoint: str
    slug: str
    auth_type: str
    patterns: tuple[str, ...] = ("*",)
    shared_with: int | None = None  # how many applications; None is all
    checks: tuple[tuple[Outcome, int, str], ...] = ()


_GOOD = Outcome.VALID, 200
_PLANS = (
    _Plan(
        "dockerhub",
        "index.docker.io",
        "dockerhub",
        "token",
        checks=((*_GOOD, "Signed in to index.docker.io."),) * 6,
    ),
    _Plan(
        "other",
        "quay.io",
        "quay",
        "password",
        patterns=("kestrel/*",),
        checks=((*_GOOD, "Signed in to quay.io."),) * 4
        + (
            (
                Outcome.RATE_LIMITED,
                429,
                "quay.io answers too many requests for now. Pulls go on being tried.",
            ),
            (*_GOOD, "Signed in to quay.io."),
        ),
    ),
    _Plan(
        "other",
        "ghcr.io",
        "ghcr",
        "password",
        patterns=("kestrel-software/insights-*",),
        shared_with=1,
        checks=(
            (*_GOOD, "Signed in to ghcr.io."),
            (*_GOOD, "Signed in to ghcr.io."),
            (
                Outcome.REJECTED,
                401,
                "ghcr.io refused the username or the password. Replace the credential.",
            ),
        ),
    ),
    _Plan(
        "other",
        "registry.kestrel.example:5000",
        "in-house",
        "password",
        shared_with=2,
        checks=(
            (
                Outcome.UNREACHABLE,
                0,
                "registry.kestrel.example:5000 refused the connection. Is it running?",
            ),
        ),
    ),
    _Plan("other", "registry.gitlab.com", "gitlab", "password"),
)


def add_registries(
    actor: Actor, team: Team, applications: Sequence[Application]
) -> dict[str, ExternalRegistry]:
    """Connect them all; return them by slug."""
    return {plan.slug: _add(actor, team, applications, plan) for plan in _PLANS}


def _add(
    actor: Actor, team: Team, applications: Sequence[Application], plan: _Plan
) -> ExternalRegistry:
    registry = ExternalRegistry(
        team=team,
        provider=plan.provider,
        endpoint=plan.endpoint,
        slug=plan.slug,
        shared_with_all=plan.shared_with is None,
        repository_patterns=list(plan.patterns),
    )
    registry.full_clean()
    registry.save()
    for application in applications[: plan.shared_with or 0]:
        RegistryShare.objects.create(
            team=team, registry=registry, application=application
        )
    credential = Credential.objects.create(
        team=team,
        registry=registry,
        auth_type=plan.auth_type,
        username=Secret("kestrel-pull"),
        secret=Secret("an-example-that-opens-nothing"),
        created_by_id=actor.id,
        active=True,
        created_at=timezone.now(),
    )
    record(
        actor,
        EventTag.REGISTRY_CONNECTED,
        registry,
        endpoint=registry.endpoint,
        provider=registry.provider,
        shared_with_all=registry.shared_with_all,
    )
    _add_checks(registry, credential, plan)
    return registry


def _add_checks(
    registry: ExternalRegistry, credential: Credential, plan: _Plan
) -> None:
    now = datetime.now(tz=UTC)  # whatever time services see
    for number, (outcome, status, detail) in enumerate(reversed(plan.checks)):
        at = now - timedelta(hours=2 + 26 * number)
        check = CredentialCheck.objects.create(
            team_id=registry.team_id,
            registry=registry,
            credential=credential,
            outcome=outcome,
            http_status=status or None,
            latency_ms=120 + 37 * number,
            detail=detail,
            created_at=at,
        )
        if number == 0:
            registry.health = check.outcome
            registry.health_checked_at = at
            registry.save(update_fields=["health", "health_checked_at"])
