"""External registries of the example team, in different health.

Made without the service that connects one: it would have the worker try credentials
that nobody ever issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from audit.services import record
from audit.tags import EventTag
from licenses.models import Application
from portal.crypto.secrets import Secret
from registries.models import ExternalRegistry
from registries.models.health import Outcome
from teams.actors import Actor
from teams.models import Team
from tests.support.rows.factories import (
    CredentialCheckFactory,
    ExternalRegistryFactory,
    RegistryShareFactory,
)

# Slug, provider, endpoint, type of the credential, pattern of repositories, and with
# how many applications it is shared, unless with all
_REGISTRIES = (
    ("dockerhub", "dockerhub", "index.docker.io", "token", "*", None),
    ("quay", "other", "quay.io", "password", "kestrel/*", None),
    ("ghcr", "other", "ghcr.io", "password", "kestrel-software/insights-*", 1),
    ("in-house", "other", "registry.kestrel.example:5000", "password", "*", 2),
    ("gitlab", "other", "registry.gitlab.com", "password", "*", None),
)
_GOOD = (Outcome.VALID, 200, "Signed in to {}.")
_BUSY = (
    Outcome.RATE_LIMITED,
    429,
    "{} answers too many requests for now. Pulls go on being tried.",
)
_REFUSED = (
    Outcome.REJECTED,
    401,
    "{} refused the username or the password. Replace the credential.",
)
_DOWN = (Outcome.UNREACHABLE, None, "{} refused the connection. Is it running?")
# The newest first
_CHECKS: dict[str, list[tuple[Outcome, int | None, str]]] = {
    "dockerhub": [_GOOD] * 6,
    "quay": [_GOOD, _BUSY, *[_GOOD] * 4],
    "ghcr": [_REFUSED, _GOOD, _GOOD],
    "in-house": [_DOWN],
    "gitlab": [],
}


def add_registries(
    actor: Actor, team: Team, applications: Sequence[Application]
) -> dict[str, ExternalRegistry]:
    """Connect them all; return them by slug."""
    registries: dict[str, ExternalRegistry] = {}
    for slug, provider, endpoint, auth_type, pattern, shared_with in _REGISTRIES:
        registry = registries[slug] = ExternalRegistryFactory(
            team=team,
            provider=provider,
            endpoint=endpoint,
            slug=slug,
            shared_with_all=shared_with is None,
            repository_patterns=[pattern],
            # Their hosts are invented: no check would find them as they are shown.
            next_check_at=datetime.now(tz=UTC) + timedelta(days=1),
            credential__auth_type=auth_type,
            credential__username=Secret("kestrel-pull"),
            credential__created_by_id=actor.id,
        )
        for application in applications[: shared_with or 0]:
            RegistryShareFactory(registry=registry, application=application)
        record(
            actor,
            EventTag.REGISTRY_CONNECTED,
            registry,
            endpoint=endpoint,
            provider=provider,
            shared_with_all=registry.shared_with_all,
        )
        _add_checks(registry)
    return registries


def _add_checks(registry: ExternalRegistry) -> None:
    now = datetime.now(tz=UTC)  # whatever time services see
    for number, (outcome, status, detail) in enumerate(_CHECKS[registry.slug]):
        at = now - timedelta(hours=2 + 26 * number)
        CredentialCheckFactory(
            registry=registry,
            credential=registry.credentials.get(),
            outcome=outcome,
            http_status=status,
            latency_ms=120 + 37 * number,
            detail=detail.format(registry.endpoint),
            created_at=at,
        )
        if number == 0:
            registry.health = outcome
            registry.health_checked_at = at
            registry.save(update_fields=["health", "health_checked_at"])
