"""Pulls of the example team over thirty days, refused ones too."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from licenses.models import License, LicenseState, PullCredential
from registries.models import (
    PRIVATE_REGISTRY_ID,
    PRIVATE_REGISTRY_SLUG,
    ExternalRegistry,
    LicenseTraffic,
    PullEvent,
)
from tests.support.example.names import REPOSITORIES, TAGS
from tests.support.rows.factories import (
    CacheUseFactory,
    LicenseTrafficFactory,
    PullEventFactory,
)
from tests.support.rows.pull_hours import add_to_hours

DAYS = 30


def add_pulls(
    licenses: Sequence[License],
    registries: Mapping[str, ExternalRegistry],
    picks: random.Random,
) -> None:
    """Count pulls of each license, as the edge would have done."""
    proxied = [
        _proxied_pull(license, at, registries, picks)
        for license in licenses
        for at in _instants(license, picks)
    ]
    pullers = [
        license for license in licenses if license.application.slug == "kestrel-server"
    ]
    private = [_private_pull(license, picks) for license in picks.sample(pullers, 9)]
    named = _pulls_by_credentials(licenses, registries, proxied, picks)
    pulls = PullEvent.objects.bulk_create(proxied + private + named)
    add_to_hours(PullEvent.objects.filter(pk__in=[pull.pk for pull in pulls]))
    _add_refusal(proxied)
    _add_outage(registries["quay"])
    _add_traffic(proxied, picks)


def _add_refusal(pulls: Sequence[PullEvent]) -> None:
    """Let a pull credential have been refused just now, from another network."""
    pull = next(pull for pull in pulls if pull.credential_name == "Production cluster")
    now = datetime.now(tz=UTC)
    PullEventFactory(
        team=pull.team,
        license=pull.license,
        application_slug=pull.application_slug,
        holder=pull.holder,
        credential_id=pull.credential_id,
        credential_name=pull.credential_name,
        repository=pull.repository,
        reference=pull.reference,
        outcome="network_not_allowed",
        hour=now.replace(minute=0, second=0, microsecond=0),
        last_at=now - timedelta(minutes=20),
        count=3,
    )


def _add_outage(registry: ExternalRegistry) -> None:
    """Let the cache have answered while a registry was unavailable today."""
    pulls = PullEvent.objects.filter(registry_id=registry.pk).order_by("-last_at")[:2]
    for pull in pulls:
        PullEvent.objects.filter(pk=pull.pk).update(stale=pull.count)
    today = datetime.now(tz=UTC).date()
    CacheUseFactory(
        registry=registry, day=today, stale_pulls=sum(pull.count for pull in pulls)
    )


def _add_traffic(pulls: Sequence[PullEvent], picks: random.Random) -> None:
    """Count the bytes of the pulls: some layers of each image."""
    sent: Counter[tuple[License, date]] = Counter()
    for pull in pulls:
        if pull.is_allowed and pull.license is not None:
            size = pull.count * picks.randrange(20_000_000, 90_000_000)
            sent[pull.license, pull.last_at.date()] += size
    LicenseTraffic.objects.bulk_create(
        LicenseTrafficFactory.build(
            license=license, team=license.team, day=day, bytes=size
        )
        for (license, day), size in sent.items()
    )


def _instants(license: License, picks: random.Random) -> Iterator[datetime]:
    now = datetime.now(tz=UTC)
    for days in range(DAYS):
        at = now - timedelta(days=days, minutes=picks.randrange(10, 700))
        idle = 0.8 if at.weekday() >= 5 else 0.45
        if picks.random() >= idle and at >= license.created_at:
            yield at


def _proxied_pull(
    license: License,
    at: datetime,
    registries: Mapping[str, ExternalRegistry],
    picks: random.Random,
) -> PullEvent:
    repository = picks.choice(REPOSITORIES[license.application.slug])
    registry = registries[picks.choice(("quay", "quay", "dockerhub"))]
    outcome = _outcome(license, at)
    prefix = "" if registry.slug == "dockerhub" else "quay.io/"
    if outcome == "allowed" and picks.random() < 0.03:
        outcome, prefix = "registry_not_connected", "docker.kestrel.example/"
    is_allowed = outcome == "allowed"
    return _pull(
        license,
        at,
        registry=registry if is_allowed else None,
        repository=f"{prefix}{repository}",
        reference=picks.choice(TAGS),
        outcome=outcome,
        count=picks.randrange(1, 9 if is_allowed else 4),
    )


def _pulls_by_credentials(
    licenses: Sequence[License],
    registries: Mapping[str, ExternalRegistry],
    pulls: Sequence[PullEvent],
    picks: random.Random,
) -> list[PullEvent]:
    """Let half of the ``pulls`` be by pull credentials of their licenses.

    Return those that the credentials were last used for.
    """
    used = PullCredential.objects.filter(
        license__in=licenses, last_used_at__isnull=False
    )
    latest = []
    related = used.select_related("license__application", "license__team")
    for credential in related.order_by("created_at"):
        for pull in pulls:
            if (
                pull.license_id == credential.license_id
                and pull.last_at > credential.created_at
                and picks.random() < 0.5
            ):
                _name(pull, credential)
        pull = _pull(
            credential.license,
            credential.last_used_at or credential.created_at,
            registry=registries["quay"],
            repository=f"quay.io/{REPOSITORIES[credential.license.application.slug][0]}",
            reference=TAGS[-1],
            outcome="allowed",
            count=2,
        )
        latest.append(_name(pull, credential))
    return latest


def _name(pull: PullEvent, credential: PullCredential) -> PullEvent:
    pull.credential_id = credential.pk
    pull.credential_name = credential.name
    pull.holder = f"pull-credential:{credential.pk}"
    return pull


def _private_pull(license: License, picks: random.Random) -> PullEvent:
    at = datetime.now(tz=UTC) - timedelta(minutes=picks.randrange(60, 20_000))
    return _pull(
        license,
        at,
        registry_id=PRIVATE_REGISTRY_ID,
        registry_slug=PRIVATE_REGISTRY_SLUG,
        repository="api",
        reference="v4.0.0",
        outcome=_outcome(license, at),
        count=1 + at.minute % 9,
    )


def _pull(license: License, at: datetime, **fields: Any) -> PullEvent:
    pull: PullEvent = PullEventFactory.build(
        team=license.team,
        hour=at.replace(minute=0, second=0, microsecond=0),
        application_slug=license.application.slug,
        license=license,
        holder=f"license:{license.pk}",
        last_at=at,
        created_at=at,
        **fields,
    )
    return pull


def _outcome(license: License, at: datetime) -> str:
    if license.revoked_at is not None and license.revoked_at <= at:
        return "license_revoked"
    if license.customer.archived_at is not None and license.customer.archived_at <= at:
        return "customer_archived"
    return "license_expired" if license.state(at) is LicenseState.EXPIRED else "allowed"
