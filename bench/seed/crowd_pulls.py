"""A year of counted pulls."""

from __future__ import annotations

from typing import Any

from django.db import connection

from bench.seed.bulk import foreign_keys_checked_at_once
from licenses.models import License
from registries.models import (
    PRIVATE_REGISTRY_ID,
    ExternalRegistry,
    LicenseTraffic,
    PullEvent,
)
from teams.models import Team

# In a hundred, with one license within the last 30 days: a large cluster.
HEAVY = 2
_NUMBERED_LICENSES = """
CREATE TEMPORARY TABLE crowd_license ON COMMIT DROP AS
SELECT row_number() OVER () AS number, license.id, application.slug,
       credential.id AS credential_id, credential.name AS credential_name
FROM licenses_license AS license
JOIN licenses_application AS application ON application.id = license.application_id
LEFT JOIN licenses_pullcredential AS credential
       ON credential.license_id = license.id AND license.id <> %(heavy)s
WHERE license.team_id = %(team)s
"""
# Five in a hundred pulls are refused, and a tenth is of the private registry. A row
# counts one hour of one holder, repository and tag, so duplicates are skipped and drawn
# again.
_PULLS = """
INSERT INTO registries_pullevent (
    id, team_id, created_at, hour, last_at, application_slug, license_id,
    credential_id, credential_name, holder,
    registry_id, registry_slug, repository, reference, outcome, count
)
SELECT gen_random_uuid(), %(team)s, at, date_trunc('hour', at), at, license.slug,
       license.id, license.credential_id, coalesce(license.credential_name, ''),
       coalesce('pull-credential:' || license.credential_id, 'license:' || license.id),
       CASE WHEN is_private THEN %(private)s ELSE %(registry)s END,
       CASE WHEN is_private THEN 'private-registry' ELSE %(slug)s END,
       CASE WHEN is_private THEN 'api'
            ELSE %(endpoint)s || '/kestrel/service' || floor(random() * 20) END,
       CASE WHEN random() < 0.3
            THEN 'sha256:' || encode(sha256(at::text::bytea), 'hex')
            ELSE 'v4.' || floor(random() * 30) END,
       CASE WHEN random() < 0.05 THEN 'license_expired' ELSE 'allowed' END,
       1 + floor(random() * 9)
FROM (
    SELECT now() - random() * %(days)s * interval '1 day' AS at,
           random() < 0.1 AS is_private,
           1 + floor(random() * (SELECT max(number) FROM crowd_license))::int AS number
    FROM generate_series(1, %(rows)s)
) AS drawn
JOIN crowd_license AS license
  ON CASE WHEN %(is_heavy)s THEN license.id = %(heavy)s
          ELSE license.number = drawn.number END
ORDER BY at
ON CONFLICT DO NOTHING
"""
_HOURS = """
INSERT INTO registries_pullhour AS stored (
    id, created_at, team_id, hour, allowed, refused
)
SELECT gen_random_uuid(), now(), team_id, hour,
       coalesce(sum(count) FILTER (WHERE outcome = 'allowed'), 0),
       coalesce(sum(count) FILTER (WHERE outcome <> 'allowed'), 0)
FROM registries_pullevent WHERE team_id = %s
GROUP BY team_id, hour
ON CONFLICT (team_id, hour) DO UPDATE
SET allowed = EXCLUDED.allowed, refused = EXCLUDED.refused
"""
_TRAFFIC = """
INSERT INTO registries_licensetraffic (id, team_id, created_at, license_id, day, bytes)
SELECT gen_random_uuid(), team_id, min(created_at), license_id, last_at::date,
       sum(count) * 50000000
FROM registries_pullevent
WHERE team_id = %s AND license_id IS NOT NULL AND last_at > now() - interval '90 days'
GROUP BY team_id, license_id, last_at::date
ON CONFLICT DO NOTHING
"""


def seed_pulls(team: Team, heavy: License, pulls: int) -> None:
    """Add counted pulls of 13 months, and the traffic that they caused."""
    registry = ExternalRegistry.objects.for_team(team.pk).get(slug="quay")
    values: dict[str, Any] = {
        "team": team.pk,
        "heavy": heavy.pk,
        "registry": registry.pk,
        "slug": registry.slug,
        "endpoint": registry.endpoint,
        "private": PRIVATE_REGISTRY_ID,
    }
    of_heavy = pulls * HEAVY // 100
    with connection.cursor() as cursor, foreign_keys_checked_at_once(PullEvent):
        cursor.execute(_NUMBERED_LICENSES, values)
        cursor.execute("CREATE INDEX ON crowd_license (number)")
        cursor.execute("ANALYZE crowd_license")
        _draw(pulls - of_heavy, values | {"days": 395, "is_heavy": False})
        _draw(of_heavy, values | {"days": 30, "is_heavy": True})
        cursor.execute(_HOURS, [team.pk])
    with connection.cursor() as cursor, foreign_keys_checked_at_once(LicenseTraffic):
        cursor.execute(_TRAFFIC, [team.pk])


def _draw(number: int, values: dict[str, Any]) -> None:
    missing = number
    with connection.cursor() as cursor:
        while missing:
            cursor.execute(_PULLS, values | {"rows": missing})
            missing -= cursor.rowcount
