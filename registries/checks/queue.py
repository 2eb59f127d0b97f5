"""Checks due registries: many at once, each by one worker only.

1. A worker claims due registries, the longest overdue first, and commits. Workers take
   turns in claiming, so that only a few checks of one host and of one team run at a
   time, however many workers there are.
2. It checks all of them concurrently.
3. It stores each result at once, in its own transaction, which ends the claim. Then it
   claims more registries for the free places.

The claims of a killed worker expire after two minutes. A result is discarded if its
claim is no longer valid: it was stored already, the credential was replaced, or another
worker has taken over.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from oci.reference import parse_reference
from portal.database.claims import claim_due_rows
from registries.checks.attempt import CheckResult, check_credential_within
from registries.checks.results import record_check
from registries.models import Credential, ExternalRegistry
from registries.models.health import Outcome
from registries.providers.problems import Problem
from registries.upstream.target import upstream_target

CLAIM = timedelta(minutes=2)
# Well within the claim, so that no other worker checks the same registry.
CHECK_SECONDS = 90
AT_ONCE = 100
# A task stops claiming after this time, whatever is left: beat starts the next one.
TASK_SECONDS = 30
GATHER_SECONDS = 0.1
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)
FAULT = (
    "Internal error in Berth: this check could not be made. The operator finds the "
    "reason in the log."
)
CLAIM_LOCK = 0x62636865636B  # any number that nothing else uses
logger = logging.getLogger(__name__)

# Skips hosts and teams that already have the allowed number of checks running, and
# claims at most that number of the others.
_CLAIM = """
WITH busy AS (
    SELECT endpoint, team_id
    FROM registries_externalregistry
    WHERE claimed_until > %(now)s
), busy_hosts AS (
    SELECT endpoint, count(*) AS number FROM busy GROUP BY endpoint
), busy_teams AS (
    SELECT team_id, count(*) AS number FROM busy GROUP BY team_id
), due AS (
    SELECT id, endpoint, team_id, next_check_at
    FROM registries_externalregistry
    WHERE next_check_at <= %(now)s
      AND (claimed_until IS NULL OR claimed_until <= %(now)s)
      AND endpoint NOT IN (
          SELECT endpoint FROM busy_hosts WHERE number >= %(per_host)s
      )
      AND team_id NOT IN (
          SELECT team_id FROM busy_teams WHERE number >= %(per_team)s
      )
      AND endpoint <> ALL (%(full_hosts)s)
      AND team_id <> ALL (%(full_teams)s)
    ORDER BY next_check_at
    LIMIT %(looked_through)s
), of_host AS (
    SELECT id, endpoint, team_id, next_check_at, row_number() OVER (
        PARTITION BY endpoint ORDER BY next_check_at
    ) + coalesce(busy_hosts.number, 0) AS place
    FROM due LEFT JOIN busy_hosts USING (endpoint)
), of_team AS (
    SELECT id, team_id, next_check_at, row_number() OVER (
        PARTITION BY team_id ORDER BY next_check_at
    ) + coalesce(busy_teams.number, 0) AS place
    FROM of_host LEFT JOIN busy_teams USING (team_id)
    WHERE place <= %(per_host)s
), chosen AS (
    SELECT id FROM of_team WHERE place <= %(per_team)s
    ORDER BY next_check_at LIMIT %(batch)s
), free AS (
    SELECT id FROM registries_externalregistry
    WHERE id IN (SELECT id FROM chosen)
    FOR NO KEY UPDATE SKIP LOCKED
), claimed AS (
    UPDATE registries_externalregistry
    SET claimed_until = %(until)s
    WHERE id IN (SELECT id FROM free)
    RETURNING id
)
SELECT
    ARRAY(SELECT id FROM claimed),
    ARRAY(SELECT DISTINCT team_id FROM of_team WHERE place > %(per_team)s),
    ARRAY(SELECT DISTINCT endpoint FROM of_host WHERE place > %(per_host)s),
    (SELECT count(*) FROM due)
"""


@async_to_sync
async def check_due_registries() -> int:
    """Check due registries until none is left or time is up; return how many."""
    # A name that does not resolve blocks a thread for long, and others need one too.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE))
    deadline = time.monotonic() + TASK_SECONDS
    running: set[asyncio.Task[None]] = set()
    number = 0
    while True:
        places = AT_ONCE - len(running)
        if places and time.monotonic() < deadline:
            claimed = await sync_to_async(_claim)(places)
            running |= {
                asyncio.create_task(_check_and_record(version)) for version in claimed
            }
            number += len(claimed)
        if not running:
            return number
        running = await _wait_for_some(running)


async def _wait_for_some(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait for some checks to end, at most a second; return the others."""
    await asyncio.wait(running, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    # One claim for all checks that end at about the same time.
    await asyncio.sleep(GATHER_SECONDS)
    ended = {task for task in running if task.done()}
    for error in filter(None, (task.exception() for task in ended)):
        # Its claim expires, and then it is retried.
        logger.error("A check failed with an internal error.", exc_info=error)
    return running - ended


def _claim(places: int) -> list[Credential]:
    try:
        return claim_due(places)
    except DATABASE_UNAVAILABLE:
        connection.close()
        logger.warning("Database unavailable: no registries were claimed.")
        return []


@transaction.atomic
def claim_due(batch: int = AT_ONCE) -> list[Credential]:
    """Claim due registries; return their active credentials."""
    now = timezone.now()
    ids = claim_due_rows(
        _CLAIM,
        lock=CLAIM_LOCK,
        batch=batch,
        now=now,
        until=now + CLAIM,
        per_team=settings.BERTH_CHECKS_PER_TEAM,
        per_host=settings.BERTH_CHECKS_PER_HOST,
    )
    return list(
        Credential.objects.filter(registry_id__in=ids, active=True).select_related(
            "registry"
        )
    )


async def _check_and_record(version: Credential) -> None:
    result = await _check_credential(version, CHECK_SECONDS)
    claim = version.registry.claimed_until
    while True:
        if await sync_to_async(_store_result)(version, result, claim):
            return
        await asyncio.sleep(1)


def _store_result(
    version: Credential, result: CheckResult, claim: datetime | None
) -> bool:
    """Store a result; return False if that must be retried."""
    try:
        record_check(version, result, claim=claim)
    except (ExternalRegistry.DoesNotExist, Credential.DoesNotExist):
        logger.info("Registry %s was deleted during its check.", version.registry)
    except DATABASE_UNAVAILABLE:
        connection.close()
        if claim is not None and timezone.now() < claim:
            return False
        logger.warning("Database unavailable: the result of a check was lost.")
    return True


@async_to_sync
async def check_credentials(
    versions: Sequence[Credential], *, seconds: float = CHECK_SECONDS
) -> list[CheckResult]:
    """Check credentials whether due or not; store and return each result.

    The limit of concurrent checks per host is that of workers. A check that takes more
    than ``seconds`` counts as unreachable.
    """
    places = asyncio.Semaphore(AT_ONCE)
    hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
        lambda: asyncio.Semaphore(settings.BERTH_CHECKS_PER_HOST)
    )

    async def check(version: Credential) -> CheckResult:
        async with hosts[version.registry.endpoint], places:
            result = await _check_credential(version, seconds)
        await sync_to_async(_store_result)(version, result, None)
        return result

    return await asyncio.gather(*(check(version) for version in versions))


async def _check_credential(version: Credential, seconds: float) -> CheckResult:
    name = version.registry.test_image
    image = parse_reference(name) if name else None
    try:
        return await check_credential_within(upstream_target(version), image, seconds)
    except Exception:  # must not affect other registries
        logger.exception("The check of registry %s failed.", version.registry_id)
        # A check that could not be made must not look like a success.
        return CheckResult(Outcome.UPSTREAM_ERROR, None, 0, FAULT, Problem.FAULT)


def make_due(registry_id: uuid.UUID) -> bool:
    """Make a registry due unless it was just checked; return whether it is now due."""
    now = timezone.now()
    return bool(
        ExternalRegistry.objects.filter(pk=registry_id, next_check_at__gt=now)
        .exclude(health_checked_at__gt=now - timedelta(seconds=60))
        # The registry said when to ask again.
        .exclude(suspect=Outcome.RATE_LIMITED)
        .update(next_check_at=now)
    )


def make_all_due(registry_ids: Collection[uuid.UUID]) -> None:
    """Make registries due, even those that were just checked."""
    ExternalRegistry.objects.filter(pk__in=registry_ids).update(
        next_check_at=timezone.now()
    )
