from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings

from edge.cache.place import place_of
from edge.http import SUCCESS, Request
from edge.threads import DatabaseThreads
from oci.index import children_of
from registries.decision.pull import Allowed, AllowedPull, Decision
from registries.models.outcomes import ALLOWED
from registries.models.pulls import PRIVATE_REGISTRY_ID
from registries.pulls.events import Counted, Pull, credential_of
from registries.pulls.sessions import ManifestRequest, Sessions
from registries.pulls.usage import (
    CacheCounts,
    LicenseDay,
    RegistryDay,
    Usage,
    record_usage,
)

WRITE_SECONDS = 5
# No client waits for it, and a large batch takes longer than a request may.
WRITE_DEADLINE_SECONDS = 20
# Of the last counts, while the database is away: it may be replaced at the same time.
LAST_WRITE_SECONDS = 15
MANY = "*"
# In nginx's log, of a vendor's pull.
NO_LICENSE = "-"
MAX_KINDS = 50_000
# So that no client fills memory and table with names that it makes up.
MAX_KINDS_OF_HOLDER = 100
# RFC 7234, section 5.5.1.
STALE_WARNING = "110 "
logger = logging.getLogger(__name__)


class PulledImage(NamedTuple):
    """The image of a pull: an application, and a repository and reference below it."""

    application: str
    repository: str
    reference: str
    is_private: bool = False


class PullCounter:
    """Counts pulls in memory and writes them in the background.

    :mod:`registries.pulls.sessions` says what is one pull. A HEAD that fails counts
    too, since some clients give up there, and only once if the GET follows. Requests
    with an unknown credential belong to no team and are not counted.

    With BERTH_PULL_LOG, nginx logs what succeeds, and the log is counted instead.
    """

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._usage = Usage()
        self._sessions = Sessions()
        self._kinds_of_holder: Counter[str] = Counter()
        # Of this round and the last: the GET may follow after they were written.
        self._at_head: tuple[Counter[Pull], Counter[Pull]] = (Counter(), Counter())

    def count(
        self,
        decision: Decision,
        image: PulledImage | None,
        method: str,
        failure: str = "",
    ) -> None:
        """Count a request that failed, if it is a pull or a HEAD of one.

        ``image`` is None for anything but a manifest. ``failure`` is the code of the
        UpstreamError that ended an allowed pull.
        """
        if image is None or decision.team_id is None or decision.subject is None:
            return
        pull = self._kept(_pull(decision, image, _outcome(decision, failure)))
        is_head = method == "HEAD"
        if not is_head and self._was_counted_at_head(pull):
            return
        if self._add(pull) and is_head:
            self._at_head[0][pull] += 1

    def count_answer(
        self, allowed: AllowedPull, image: PulledImage | None, request: Request
    ) -> None:
        """Count a request that was answered, if it is a pull."""
        sent = request.sent
        if settings.BERTH_PULL_LOG or image is None or sent.status not in SUCCESS:
            return
        warning = sent.headers.get("warning", "")
        pulled = self._sessions.pulled_as(
            ManifestRequest(
                at=time.time(),
                holder=str(allowed.subject),
                repository=f"{image.application}/{image.repository}",
                method=request.method,
                reference=image.reference,
                digest=sent.headers.get("docker-content-digest", ""),
                children=children_of(sent.headers.get("content-type", ""), sent.index),
                is_stale=warning.startswith(STALE_WARNING),
            )
        )
        if pulled is None:
            return
        pull = _pull(allowed, image._replace(reference=pulled.reference), ALLOWED)
        self._add(self._kept(pull), stale=int(pulled.is_stale))
        if pulled.is_stale:
            self._add_cache(allowed, CacheCounts(stale_pulls=1))

    def count_bytes(self, allowed: AllowedPull, request: Request) -> None:
        """Count what was sent of an answer, whole or not, and from where."""
        sent = request.sent
        if settings.BERTH_PULL_LOG or sent.status not in SUCCESS:
            return
        if allowed.license_id is not None and sent.size:
            self._add_traffic(allowed, allowed.license_id, sent.size)
        if settings.BERTH_CACHE_DIR and request.method == "GET":
            hit = request.is_hit
            self._add_cache(
                allowed, CacheCounts(int(hit), int(not hit), sent.size if hit else 0)
            )

    def name_in_log(self, allowed: AllowedPull, request: Request) -> None:
        """Tell nginx for its log whose pull an answer is; clients do not get this."""
        if settings.BERTH_PULL_LOG:
            place = place_of(allowed)
            request.log_headers += [
                ("X-Berth-Pull", pull_of_log(allowed)),
                ("X-Berth-Place", str(place)),
            ]

    def _kept(self, pull: Pull) -> Pull:
        """Return the pull to count: one of many others if its holder has many."""
        if pull in self._usage.pulls:
            return pull
        if self._kinds_of_holder[pull.holder] < MAX_KINDS_OF_HOLDER:
            return pull
        return pull._replace(repository=MANY, reference=MANY)

    def _add(self, pull: Pull, *, stale: int = 0) -> bool:
        """Count a pull; return whether there was memory for it."""
        pulls = self._usage.pulls
        if pull not in pulls:
            if len(pulls) >= MAX_KINDS:
                return False
            self._kinds_of_holder[pull.holder] += 1
        self._usage.add_pull(pull, Counted(datetime.now(UTC), 1, stale))
        return True

    def _add_traffic(
        self, allowed: AllowedPull, license_id: uuid.UUID, size: int
    ) -> None:
        traffic, today = self._usage.traffic, datetime.now(UTC).date()
        day = LicenseDay(allowed.team_id, license_id, today)
        if day in traffic or len(traffic) < MAX_KINDS:
            traffic[day] += size

    def _add_cache(self, allowed: AllowedPull, counts: CacheCounts) -> None:
        registry_id, today = allowed.registry.id, datetime.now(UTC).date()
        self._usage.add_cache(RegistryDay(allowed.team_id, registry_id, today), counts)

    def _was_counted_at_head(self, pull: Pull) -> bool:
        for heads in self._at_head:
            if heads[pull] > 0:
                heads[pull] -= 1
                return True
        return False

    async def write(self) -> bool:
        """Write the counts; on failure, keep them for the next time.

        Returns whether all are written.
        """
        usage, self._usage = self._usage, Usage()
        self._kinds_of_holder.clear()
        self._at_head = (Counter(), self._at_head[0])
        if not usage:
            return True
        try:
            await self._threads.call(
                lambda: record_usage(usage), seconds=WRITE_DEADLINE_SECONDS
            )
        except Exception:
            logger.exception(
                "Pulls could not be counted; they are kept for the next try."
            )
            usage.add(self._usage)
            self._usage = usage
            return False
        return True

    async def write_last(self) -> None:
        """Write the counts before the process ends, which waits for it a while."""
        deadline = time.monotonic() + LAST_WRITE_SECONDS
        while not await self.write():
            if time.monotonic() > deadline:
                logger.error("The last pulls were not counted.")
                return
            await asyncio.sleep(1)

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()


@asynccontextmanager
async def counted_pulls(threads: DatabaseThreads) -> AsyncIterator[PullCounter]:
    """Count pulls, and write those that are left at the end."""
    pulls = PullCounter(threads)
    writer = asyncio.create_task(pulls.write_forever())
    try:
        yield pulls
    finally:
        writer.cancel()
        await pulls.write_last()


def pull_of_log(allowed: AllowedPull) -> str:
    """Return whose pull a line of nginx's log is, without any secret."""
    license = allowed.license_id or NO_LICENSE
    return f"{allowed.team_id} {allowed.subject} {allowed.registry.id} {license}"


def _pull(decision: Decision, image: PulledImage, outcome: str) -> Pull:
    team_id, subject = decision.team_id, decision.subject
    if team_id is None or subject is None:
        raise ValueError("A pull by nobody is not counted.")
    return Pull(
        team_id=team_id,
        hour=datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
        application_slug=image.application[:64],
        holder=str(subject),
        license_id=decision.license_id,
        registry_id=_registry_id(decision, image),
        repository=image.repository,
        reference=image.reference,
        outcome=outcome,
        credential_id=credential_of(subject),
    )


def _registry_id(decision: Decision, image: PulledImage) -> uuid.UUID | None:
    if image.is_private:
        return PRIVATE_REGISTRY_ID
    return decision.registry.id if isinstance(decision, AllowedPull) else None


def _outcome(decision: Decision, failure: str) -> str:
    if not isinstance(decision, Allowed):
        return decision.reason.value
    return f"registry_{failure}" if failure else ALLOWED
