"""One team with many customers, licenses and pulls, for its pages."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from bench.seed.bulk import copy_rows, foreign_keys_checked_at_once
from bench.seed.license_rows import COLUMNS, Holder, license_rows
from licenses.models import Channel, Customer, License
from registries.models import ExternalRegistry, PullEvent
from teams.models import Team

_FIRST = ("Acme", "Borealis", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor")
_LAST = ("Analytics", "Bank", "Clinics", "Dynamics", "Energy", "Foods", "Group", "Labs")
_CUSTOMER_COLUMNS = ("id", "team_id", "created_at", "name", "email", "custom_id")
_NUMBERED_LICENSES = """
CREATE TEMPORARY TABLE crowd_license ON COMMIT DROP AS
SELECT row_number() OVER () AS number, license.id, application.slug
FROM licenses_license AS license
JOIN licenses_application AS application ON application.id = license.application_id
WHERE license.team_id = %s
"""
# Five in a hundred pulls are refused. A row counts one hour of one license, repository
# and tag, so duplicates are skipped and drawn again.
_PULLS = """
INSERT INTO registries_pullevent (
    id, team_id, created_at, hour, last_at, application_slug, license_id, holder,
    registry_id, registry_slug, repository, reference, outcome, count
)
SELECT gen_random_uuid(), %(team)s, at, date_trunc('hour', at), at, license.slug,
       license.id, 'license:' || license.id, %(registry)s, 'registry0',
       'registry0/my-org/service' || floor(random() * 20),
       'v1.' || floor(random() * 30),
       CASE WHEN random() < 0.05 THEN 'license_expired' ELSE 'allowed' END,
       1 + floor(random() * 9)
FROM (
    SELECT now() - random() * interval '395 days' AS at,
           1 + floor(random() * %(licenses)s)::int AS number
    FROM generate_series(1, %(rows)s)
) AS drawn
JOIN crowd_license AS license USING (number)
ON CONFLICT DO NOTHING
"""


@transaction.atomic
def seed_crowd(team: Team, *, customers: int, pulls: int) -> None:
    """Give a team customers with a license each, and counted pulls over 13 months.

    The team has at least one application with its channel, and one registry.
    """
    channels = list(Channel.objects.for_team(team.pk).filter(is_default=True))
    ids = [uuid.uuid4() for _ in range(customers)]
    copy_rows(Customer, _CUSTOMER_COLUMNS, _customer_rows(team, ids))
    holders = list(_holders(channels, ids))
    copy_rows(License, COLUMNS, license_rows(holders, customers))
    with foreign_keys_checked_at_once(PullEvent):
        _insert_pulls(team, customers, pulls)


def _customer_rows(team: Team, ids: Sequence[uuid.UUID]) -> Iterator[str]:
    now = timezone.now()
    for number, pk in enumerate(ids):
        first = random.choice(_FIRST)
        name = f"{first} {random.choice(_LAST)} {number}"
        email = f"it{number}@{first.lower()}.example"
        yield f"{pk}\t{team.pk}\t{now}\t{name}\t{email}\tcrm-{number}\n"


def _holders(channels: Sequence[Channel], ids: Sequence[uuid.UUID]) -> Iterator[Holder]:
    for number, pk in enumerate(ids):
        channel = channels[number % len(channels)]
        yield Holder(channel.team_id, pk, channel.application_id, channel.pk)


def _insert_pulls(team: Team, licenses: int, pulls: int) -> None:
    registry = ExternalRegistry.objects.for_team(team.pk).earliest("created_at")
    values: dict[str, Any] = {
        "team": team.pk,
        "registry": registry.pk,
        "licenses": licenses,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERED_LICENSES, [team.pk])
        missing = pulls
        while missing:
            cursor.execute(_PULLS, values | {"rows": missing})
            missing -= cursor.rowcount
