"""Pulls of the example team over thirty days, refused ones too."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from licenses.models import License, LicenseState
from registries.models import ExternalRegistry, PullEvent
from teams.models import Team
from tests.support.example.names import REPOSITORIES, TAGS

DAYS = 30


def add_pulls(
    team: Team,
    licenses: Sequence[License],
    registries: Mapping[str, ExternalRegistry],
    picks: random.Random,
) -> None:
    """Count pulls of each license, as the edge would have done."""
    found = License.objects.for_team(team.pk).select_related("application", "customer")
    fresh = {license.pk: license for license in found}
    PullEvent.objects.bulk_create(
        event
        for license in licenses
        for event in _pulls(fresh[license.pk], registries, picks)
    )


def _pulls(
    license: License, registries: Mapping[str, ExternalRegistry], picks: random.Random
) -> Iterator[PullEvent]:
    now = datetime.now(tz=UTC)
    for days in range(DAYS):
        at = now - timedelta(days=days, minutes=picks.randrange(10, 700))
        is_weekend = at.weekday() >= 5
        if picks.random() < (0.8 if is_weekend else 0.45) or at < license.created_at:
            continue
        yield _pull(license, at, registries, picks)


def _pull(
    license: License,
    at: datetime,
    registries: Mapping[str, ExternalRegistry],
    picks: random.Random,
) -> PullEvent:
    slug = license.application.slug
    repository = picks.choice(REPOSITORIES[slug])
    registry = registries[picks.choice(("quay", "quay", "dockerhub"))]
    outcome = _outcome(license, at)
    prefix = "" if registry.slug == "dockerhub" else "quay.io/"
    if outcome == "allowed" and picks.random() < 0.03:
        outcome, prefix = "registry_not_connected", "docker.kestrel.example/"
    is_allowed = outcome == "allowed"
    return PullEvent(
        team_id=license.team_id,
        hour=at.replace(minute=0, second=0, microsecond=0),
        application_slug=slug,
        license=license,
        holder=f"license:{license.pk}",
        registry_id=registry.pk if is_allowed else None,
        registry_slug=registry.slug if is_allowed else "",
        repository=f"{prefix}{repository}",
        reference=picks.choice(TAGS),
        outcome=outcome,
        count=picks.randrange(1, 9 if is_allowed else 4),
        last_at=at,
        created_at=at,
    )


def _outcome(license: License, at: datetime) -> str:
    if license.revoked_at is not None and license.revoked_at <= at:
        return "license_revoked"
    if license.customer.archived_at is not None and license.customer.archived_at <= at:
        return "customer_archived"
    return "license_expired" if license.state(at) is LicenseState.EXPIRED else "allowed"
