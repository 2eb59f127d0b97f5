"""Which registries are checked next, and checking them: many at once, none twice.

1. A worker claims registries that are due, the longest due first, and commits. Workers
   claim one after the other, so that never more than a few checks of one host are
   under way, whatever the number of workers.
2. It asks all of them at the same time.
3. It writes down each result in a transaction of its own, which ends the claim.

A worker that is killed leaves claims that end by themselves after two minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from oci.reference import parse_reference
from registries.check_results import record_check
from registries.checks import CheckResult, attempt
from registries.health import Outcome
from registries.models import Credential, ExternalRegistry
from registries.upstream_errors import UpstreamTimeout
from registries.upstream_target import upstream_target

CLAIM = timedelta(minutes=2)
# Well within the claim, so that nobody else checks the same registry meanwhile.
CHECK_SECONDS = 90
BATCH = 64
LOOKED_THROUGH = 1000
# A task ends after so long, whatever is left: beat starts the next one.
TASK_SECONDS = 120
CLAIM_LOCK = 0x62636865636B  # any number that nothing else takes
logger = logging.getLogger(__name__)

# Hosts with as many checks under way as are allowed are left out; of the others no more
# are taken than that.
_CLAIM = """
WITH busy AS (
    SELECT endpoint, count(*) AS number
    FROM registries_externalregistry
    WHERE claimed_until > %(now)s
    GROUP BY endpoint
), due AS (
    SELECT id, endpoint, next_check_at
    FROM registries_externalregistry
    WHERE next_check_at <= %(now)s
      AND (claimed_until IS NULL OR claimed_until <= %(now)s)
      AND endpoint NOT IN (SELECT endpoint FROM busy WHERE number >= %(per_host)s)
    ORDER BY next_check_at
    LIMIT %(looked_through)s
), ranked AS (
    SELECT id, next_check_at, row_number() OVER (
        PARTITION BY endpoint ORDER BY next_check_at
    ) + coalesce(busy.number, 0) AS place
    FROM due LEFT JOIN busy USING (endpoint)
)
UPDATE registries_externalregistry
SET claimed_until = %(until)s
WHERE id IN (
    SELECT id FROM ranked WHERE place <= %(per_host)s
    ORDER BY next_check_at LIMIT %(batch)s
)
RETURNING id
"""


def check_due_registries() -> int:
    """Check whatever is due until nothing is, or time is up; return how many."""
    number = 0
    deadline = time.monotonic() + TASK_SECONDS
    while time.monotonic() < deadline and (claimed := claim_due()):
        check_all(claimed)
        number += len(claimed)
    return number


@transaction.atomic
def claim_due(batch: int = BATCH) -> list[Credential]:
    """Claim registries that are due; return their credentials in use."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        cursor.execute(
            _CLAIM,
            {
                "now": now,
                "until": now + CLAIM,
                "per_host": settings.BERTH_CHECKS_PER_HOST,
                "looked_through": LOOKED_THROUGH,
                "batch": batch,
            },
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(
        Credential.objects.filter(registry_id__in=ids, active=True).select_related(
            "registry"
        )
    )


def check_all(
    versions: Sequence[Credential], *, seconds: float = CHECK_SECONDS
) -> None:
    """Try credentials, all at the same time, and write down what came of each.

    Whatever takes longer than ``seconds`` in all is unreachable.
    """
    results = _attempt_all(versions, seconds)
    for version, result in zip(versions, results, strict=True):
        if isinstance(result, CheckResult):
            _record(version, result)
        else:
            # The claim ends by itself, and it is tried again.
            logger.error("A check failed by itself.", exc_info=result)


def _record(version: Credential, result: CheckResult) -> None:
    try:
        record_check(version, result)
    except (ExternalRegistry.DoesNotExist, Credential.DoesNotExist):
        logger.info("Registry %s was deleted while it was checked.", version.registry)


@async_to_sync
async def _attempt_all(
    versions: Sequence[Credential], seconds: float
) -> list[CheckResult | BaseException]:
    return await asyncio.gather(
        *(_attempt(version, seconds) for version in versions), return_exceptions=True
    )


async def _attempt(version: Credential, seconds: float) -> CheckResult:
    name = version.registry.test_image
    image = parse_reference(name) if name else None
    target = upstream_target(version)
    try:
        async with asyncio.timeout(seconds):
            return await attempt(target, image)
    except TimeoutError:
        # Each step may have been in time, and the whole was not.
        late = UpstreamTimeout(target)
        return CheckResult(
            Outcome(late.code),
            None,
            int(seconds * 1000),
            late.detail_for_vendor,
            late.problem,
        )


def make_due(registry_id: uuid.UUID) -> bool:
    """Have a registry checked now, unless it was a moment ago; tell whether it is."""
    now = timezone.now()
    return bool(
        ExternalRegistry.objects.filter(pk=registry_id, next_check_at__gt=now)
        .exclude(health_checked_at__gt=now - timedelta(seconds=60))
        .update(next_check_at=now)
    )
