"""Which registries are checked next, and checking them: many at once, none twice.

1. A worker claims registries that are due, the longest due first, and commits. Workers
   claim one after the other, so that never more than a few checks of one host are
   under way, whatever the number of workers.
2. It asks all of them at the same time.
3. It writes down each result as soon as it is there, in a transaction of its own, which
   ends the claim. For the places that are free again it claims more.

A worker that is killed leaves claims that end by themselves after two minutes. A result
whose claim is not the registry's any more is not written: it was already, the
credential was replaced, or another worker has taken over.
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
from registries.checks.attempt import CheckResult, attempt_within
from registries.checks.results import record_check
from registries.models import Credential, ExternalRegistry
from registries.models.health import Outcome
from registries.providers.problems import Problem
from registries.upstream.target import upstream_target

CLAIM = timedelta(minutes=2)
# Well within the claim, so that nobody else checks the same registry meanwhile.
CHECK_SECONDS = 90
AT_ONCE = 100
LOOKED_THROUGH = 1000
# So often, past hosts of which more are due than may be asked.
LOOKS = 5
# A task claims nothing more after so long, whatever is left: beat starts the next one.
TASK_SECONDS = 30
GATHER_SECONDS = 0.1
DATABASE_IS_AWAY = (OperationalError, InterfaceError)
FAULT = (
    "Berth could not make this check. Whoever operates this installation finds the "
    "reason in its log."
)
CLAIM_LOCK = 0x62636865636B  # any number that nothing else takes
logger = logging.getLogger(__name__)

# Hosts with as many checks under way as are allowed are left out; of the others no more
# are taken than that. Told are those of which more are due than may be taken: where all
# that was looked through is theirs, others wait behind it.
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
      AND endpoint <> ALL (%(crowded)s)
    ORDER BY next_check_at
    LIMIT %(looked_through)s
), ranked AS (
    SELECT id, endpoint, next_check_at, row_number() OVER (
        PARTITION BY endpoint ORDER BY next_check_at
    ) + coalesce(busy.number, 0) AS place
    FROM due LEFT JOIN busy USING (endpoint)
), claimed AS (
    UPDATE registries_externalregistry
    SET claimed_until = %(until)s
    WHERE id IN (
        SELECT id FROM ranked WHERE place <= %(per_host)s
        ORDER BY next_check_at LIMIT %(batch)s
    )
    RETURNING id
)
SELECT
    ARRAY(SELECT id FROM claimed),
    ARRAY(SELECT DISTINCT endpoint FROM ranked WHERE place > %(per_host)s),
    (SELECT count(*) FROM due)
"""


@async_to_sync
async def check_due_registries() -> int:
    """Check whatever is due until nothing is, or time is up; return how many."""
    # A name that does not resolve keeps a thread for long, and others need one too.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE))
    deadline = time.monotonic() + TASK_SECONDS
    under_way: set[asyncio.Task[None]] = set()
    number = 0
    while True:
        places = AT_ONCE - len(under_way)
        if places and time.monotonic() < deadline:
            claimed = await sync_to_async(_claim)(places)
            under_way |= {asyncio.create_task(_check(version)) for version in claimed}
            number += len(claimed)
        if not under_way:
            return number
        under_way = await _some_ended(under_way)


async def _some_ended(under_way: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait for some of the checks, a second at most; return the others."""
    await asyncio.wait(under_way, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    # Those that end together make room together: one claim for all of them.
    await asyncio.sleep(GATHER_SECONDS)
    ended = {each for each in under_way if each.done()}
    for error in filter(None, (each.exception() for each in ended)):
        # The claim ends by itself, and it is tried again.
        logger.error("A check failed by itself.", exc_info=error)
    return under_way - ended


def _claim(places: int) -> list[Credential]:
    try:
        return claim_due(places)
    except DATABASE_IS_AWAY:
        connection.close()
        logger.warning("The database is away: no registries were claimed.")
        return []


@transaction.atomic
def claim_due(batch: int = AT_ONCE) -> list[Credential]:
    """Claim registries that are due; return their credentials in use."""
    now = timezone.now()
    ids: list[uuid.UUID] = []
    crowded: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        for _ in range(LOOKS):
            parameters = {
                "now": now,
                "until": now + CLAIM,
                "per_host": settings.BERTH_CHECKS_PER_HOST,
                "crowded": crowded,
                "looked_through": LOOKED_THROUGH,
                "batch": batch - len(ids),
            }
            cursor.execute(_CLAIM, parameters)
            found, more_crowded, number = cursor.fetchone()
            ids += found
            crowded += more_crowded
            if len(ids) >= batch or number < LOOKED_THROUGH:
                break
    return list(
        Credential.objects.filter(registry_id__in=ids, active=True).select_related(
            "registry"
        )
    )


async def _check(version: Credential) -> None:
    result = await _attempt(version, CHECK_SECONDS)
    claim = version.registry.claimed_until
    while True:
        if await sync_to_async(_record)(version, result, claim):
            return
        await asyncio.sleep(1)


def _record(version: Credential, result: CheckResult, claim: datetime | None) -> bool:
    """Write a result down; False if it has to be tried again."""
    try:
        record_check(version, result, claim=claim)
    except (ExternalRegistry.DoesNotExist, Credential.DoesNotExist):
        logger.info("Registry %s was deleted while it was checked.", version.registry)
    except DATABASE_IS_AWAY:
        connection.close()
        if claim is not None and timezone.now() < claim:
            return False
        logger.warning("The database is away: a check was not written down.")
    return True


@async_to_sync
async def check_now(
    versions: Sequence[Credential], *, seconds: float = CHECK_SECONDS
) -> list[CheckResult]:
    """Check credentials whether due or not; write down and return what came of each.

    Of one host no more are checked at the same time than by workers. Whatever takes
    longer than ``seconds`` in all is unreachable.
    """
    places = asyncio.Semaphore(AT_ONCE)
    hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
        lambda: asyncio.Semaphore(settings.BERTH_CHECKS_PER_HOST)
    )

    async def check(version: Credential) -> CheckResult:
        async with hosts[version.registry.endpoint], places:
            result = await _attempt(version, seconds)
        await sync_to_async(_record)(version, result, None)
        return result

    return await asyncio.gather(*(check(version) for version in versions))


async def _attempt(version: Credential, seconds: float) -> CheckResult:
    name = version.registry.test_image
    image = parse_reference(name) if name else None
    try:
        return await attempt_within(upstream_target(version), image, seconds)
    except Exception:  # its trouble must not be that of the other registries
        logger.exception("The check of registry %s failed.", version.registry_id)
        # A check that cannot be made must not look like one that went well.
        return CheckResult(Outcome.UPSTREAM_ERROR, None, 0, FAULT, Problem.FAULT)


def make_due(registry_id: uuid.UUID) -> bool:
    """Have a registry checked now, unless it was a moment ago; tell whether it is."""
    now = timezone.now()
    return bool(
        ExternalRegistry.objects.filter(pk=registry_id, next_check_at__gt=now)
        .exclude(health_checked_at__gt=now - timedelta(seconds=60))
        # It said when to ask again.
        .exclude(suspect=Outcome.RATE_LIMITED)
        .update(next_check_at=now)
    )


def make_all_due(registry_ids: Collection[uuid.UUID]) -> None:
    """Have registries checked now, whenever they were checked last."""
    ExternalRegistry.objects.filter(pk__in=registry_ids).update(
        next_check_at=timezone.now()
    )
