from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import Error, connection
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from licenses.models import (
    IdentityWorkload,
    License,
    PullCredential,
    TrustedIdentity,
)
from portal.database.retry import atomic_with_retry
from portal.wake import Task, wake
from registries.checks.queue import make_all_due, make_due
from registries.decision.credentials import Subject, SubjectKind
from registries.models import ExternalRegistry, PullEvent, PullHour
from registries.models.outcomes import ALLOWED
from registries.models.pulls import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG
from teams.models import Team

logger = logging.getLogger(__name__)

PULLS_KEPT = timedelta(days=396)


class Pull(NamedTuple):
    """The values that pulls are counted by: one row per hour and distinct pull.

    For the private registry, ``registry_id`` is PRIVATE_REGISTRY_ID and ``repository``
    the name below the application's slug. ``reference`` is empty if the token service
    refused. ``credential_id`` is a pull credential or a trusted identity. A pull with
    either is also of its license, if only the former is known.
    """

    team_id: uuid.UUID
    hour: datetime
    application_slug: str
    holder: str
    license_id: uuid.UUID | None
    registry_id: uuid.UUID | None
    repository: str
    reference: str
    outcome: str
    credential_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a pull was made; ``stale`` of them while the registry was unavailable.

    Those were answered from the cache.
    """

    last_at: datetime
    count: int = 1
    stale: int = 0

    def plus(self, other: Counted) -> Counted:
        return Counted(
            max(self.last_at, other.last_at),
            self.count + other.count,
            self.stale + other.stale,
        )


# PostgreSQL does the adding, so that several edges can write at the same time.
_ADD = """
INSERT INTO registries_pullevent (
    id, registry_slug, created_at, team_id, hour, application_slug, holder,
    license_id, registry_id, repository, reference, outcome, credential_id,
    credential_name, last_at, count, stale
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (team_id, hour, holder, application_slug, registry_id, repository,
             reference, outcome)
DO UPDATE SET count = registries_pullevent.count + EXCLUDED.count,
              stale = registries_pullevent.stale + EXCLUDED.stale,
              last_at = GREATEST(registries_pullevent.last_at, EXCLUDED.last_at)
"""
_ADD_HOUR = """
INSERT INTO registries_pullhour AS stored (
    id, created_at, team_id, hour, allowed, refused
) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (team_id, hour) DO UPDATE SET
    allowed = stored.allowed + EXCLUDED.allowed,
    refused = stored.refused + EXCLUDED.refused
"""


NAME_LENGTH = 100
_CREDENTIALS = {SubjectKind.PULL_CREDENTIAL, SubjectKind.IDENTITY}


def credential_of(subject: Subject) -> uuid.UUID | None:
    """Return the pull credential or the trusted identity that a subject is."""
    return subject.id if subject.kind in _CREDENTIALS else None


def record_pull(pull: Pull, at: datetime) -> None:
    """Add one pull to its hour."""
    add_pulls({pull: Counted(at)})


@atomic_with_retry
def add_pulls(counts: Mapping[Pull, Counted]) -> dict[Pull, Counted]:
    """Add counted pulls to their hours; return those that were added, with licenses.

    Skips pulls of teams, licenses, pull credentials and trusted identities deleted
    since: a row that cannot be written must not hold up the others. Pulls through a
    deleted registry stay, without its slug.
    """
    if not counts:
        return {}
    teams = _existing_teams(counts)
    credentials = _pull_credentials(counts)
    identities = _identities(counts)
    licenses = _existing_licenses(counts)
    slugs = _registry_slugs(counts)
    now = timezone.now()
    added: dict[Pull, Counted] = {}
    rows = []
    # By everything, so that two edges that add to the same rows lock them in one order.
    for pull, counted in sorted(counts.items(), key=lambda item: [*map(str, item[0])]):
        if pull.team_id not in teams or pull.license_id not in licenses:
            continue
        license_id, name = pull.license_id, ""
        if pull.credential_id is not None:
            credential = credentials.get(
                (pull.team_id, pull.credential_id)
            ) or identities.get((pull.team_id, pull.holder))
            if credential is None:
                continue
            license_id, name = credential
        slug = slugs.get(pull.registry_id, "")
        numbers = (counted.last_at, counted.count, counted.stale)
        values = pull._replace(license_id=license_id)
        rows.append((uuid.uuid4(), slug, now, *values, name, *numbers))
        before = added.get(values)
        added[values] = before.plus(counted) if before else counted
    with connection.cursor() as cursor:
        cursor.executemany(_ADD, rows)
        cursor.executemany(_ADD_HOUR, _hours(added))
    return added


def _hours(pulls: Mapping[Pull, Counted]) -> list[tuple[Any, ...]]:
    """Return the rows of _ADD_HOUR, in one order for the same reason."""
    allowed: Counter[tuple[uuid.UUID, datetime]] = Counter()
    refused: Counter[tuple[uuid.UUID, datetime]] = Counter()
    for pull, counted in pulls.items():
        kind = allowed if pull.outcome == ALLOWED else refused
        kind[pull.team_id, pull.hour] += counted.count
    now = timezone.now()
    return [
        (uuid.uuid4(), now, *key, allowed[key], refused[key])
        for key in sorted(allowed.keys() | refused.keys())
    ]


def _existing_teams(pulls: Iterable[Pull]) -> set[uuid.UUID]:
    ids = {pull.team_id for pull in pulls}
    return set(Team.objects.filter(pk__in=ids).values_list("pk", flat=True))


def _existing_licenses(pulls: Iterable[Pull]) -> set[uuid.UUID | None]:
    """Return the existing licenses, and None: vendors pull without one."""
    ids = {pull.license_id for pull in pulls if pull.license_id}
    return {None, *License.objects.filter(pk__in=ids).values_list("pk", flat=True)}


def _pull_credentials(
    pulls: Iterable[Pull],
) -> dict[tuple[uuid.UUID, uuid.UUID], tuple[uuid.UUID, str]]:
    """Return license and name of the existing pull credentials, by team and ID."""
    ids = {pull.credential_id for pull in pulls if pull.credential_id}
    if not ids:
        return {}
    rows = PullCredential.objects.filter(pk__in=ids)
    return {
        (team_id, pk): (license_id, name)
        for team_id, pk, license_id, name in rows.values_list(
            "team_id", "pk", "license_id", "name"
        )
    }


def _identities(
    pulls: Iterable[Pull],
) -> dict[tuple[uuid.UUID, str], tuple[uuid.UUID, str]]:
    """Return license and name of existing trusted identities, by team and holder.

    The name is the identity's label, and the workload that used it.
    """
    holders = {pull.holder for pull in pulls if pull.credential_id}
    parsed = {subject for holder in holders if (subject := Subject.parse(holder))}
    subjects = [each for each in parsed if each.kind is SubjectKind.IDENTITY]
    if not subjects:
        return {}
    rows = TrustedIdentity.objects.in_bulk([subject.id for subject in subjects])
    workloads = IdentityWorkload.objects.filter(identity__in=rows)
    names = {
        (row.identity_id, row.number): row.name for row in workloads.order_by("number")
    }
    return {
        (row.team_id, str(subject)): (
            row.license_id,
            named_workload(row.label, names.get((subject.id, subject.version), "")),
        )
        for subject in subjects
        if (row := rows.get(subject.id))
    }


def named_workload(label: str, workload: str) -> str:
    """Return what pulls by a workload of a trusted identity are shown with."""
    name = f"{label}: {workload}" if workload else label
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def _registry_slugs(pulls: Iterable[Pull]) -> dict[uuid.UUID | None, str]:
    ids = {pull.registry_id for pull in pulls if pull.registry_id}
    slugs = ExternalRegistry.objects.filter(pk__in=ids).values_list("pk", "slug")
    return {PRIVATE_REGISTRY_ID: PRIVATE_REGISTRY_SLUG, **dict(slugs)}


def delete_old_pull_events() -> int:
    """Delete counts older than 13 months; return how many."""
    before = timezone.now() - PULLS_KEPT
    PullHour.objects.filter(hour__lt=before).delete()
    return PullEvent.objects.filter(hour__lt=before).delete()[0]


def queue_check(registry_id: uuid.UUID, *, after_success: bool = False) -> None:
    """Queue a check of a registry's credential, at most once a minute for either cause.

    Called after a pull that the upstream refused, or with ``after_success`` after one
    that worked although checks fail. So errors are logged, not raised.
    """
    cause = "worked" if after_success else "refused"
    try:
        if not cache.add(f"check-queued:{cause}:{registry_id}", 1, timeout=60):
            return
        if after_success:
            make_all_due([registry_id])
        elif not make_due(registry_id):
            return
        wake(Task.CHECK_REGISTRIES)
    except (RedisError, OperationalError, OSError, Error):
        logger.exception("A credential check could not be queued.")
