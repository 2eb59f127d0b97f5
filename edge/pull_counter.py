from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from edge.threads import DatabaseThreads
from registries.decision.credentials import SubjectKind
from registries.decision.pull import Allowed, AllowedPull, Decision
from registries.models.outcomes import ALLOWED
from registries.models.pulls import PRIVATE_REGISTRY_ID
from registries.pulls.events import Pull, record_pulls

WRITE_SECONDS = 5
# No client waits for it, and a large batch takes longer than a request may.
WRITE_DEADLINE_SECONDS = 20
MANY = "*"
MAX_KINDS = 50_000
# So that no client fills memory and table with names that it makes up.
MAX_KINDS_OF_HOLDER = 100
logger = logging.getLogger(__name__)


class PulledImage(NamedTuple):
    """The image of a pull: an application, and a repository and reference below it."""

    application: str
    repository: str
    reference: str
    is_private: bool = False


class PullCounter:
    """Counts pulls in memory and writes them in the background.

    One pull is one manifest GET; HEAD and blobs are parts of it. A HEAD that fails
    counts too, since some clients give up there, and only once if the GET follows.
    Requests with an unknown credential belong to no team and are not counted.
    """

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._counts: Counter[Pull] = Counter()
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
        """Count a request if it is a pull, or a HEAD of one that failed.

        ``image`` is None for anything but a manifest. ``failure`` is the code of the
        UpstreamError that ended an allowed pull.
        """
        if image is None:
            return
        if decision.team_id is None or decision.subject is None:
            return
        outcome = _outcome(decision, failure)
        is_head = method == "HEAD"
        if is_head and outcome == ALLOWED:
            return
        is_license = decision.subject.kind is SubjectKind.LICENSE
        pull = Pull(
            team_id=decision.team_id,
            hour=datetime.now(UTC).replace(minute=0, second=0, microsecond=0),
            application_slug=image.application[:64],
            holder=str(decision.subject),
            license_id=decision.subject.id if is_license else None,
            registry_id=_registry_id(decision, image),
            repository=image.repository,
            reference=image.reference,
            outcome=outcome,
        )
        self._add(pull, is_head=is_head)

    def _add(self, pull: Pull, *, is_head: bool) -> None:
        if pull not in self._counts:
            if self._kinds_of_holder[pull.holder] >= MAX_KINDS_OF_HOLDER:
                pull = pull._replace(repository=MANY, reference=MANY)
            if len(self._counts) >= MAX_KINDS:
                return
            self._kinds_of_holder[pull.holder] += 1
        if is_head:
            self._at_head[0][pull] += 1
        elif self._was_counted_at_head(pull):
            return
        self._counts[pull] += 1

    def _was_counted_at_head(self, pull: Pull) -> bool:
        for heads in self._at_head:
            if heads[pull] > 0:
                heads[pull] -= 1
                return True
        return False

    async def write(self) -> None:
        """Write the counts; on failure, keep them for the next time."""
        counts, self._counts = self._counts, Counter()
        self._kinds_of_holder.clear()
        self._at_head = (Counter(), self._at_head[0])
        if not counts:
            return
        try:
            await self._threads.call(
                lambda: record_pulls(counts), seconds=WRITE_DEADLINE_SECONDS
            )
        except Exception:
            logger.exception(
                "Pulls could not be counted; they are kept for the next try."
            )
            counts.update(self._counts)
            self._counts = counts

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
        await pulls.write()


def _registry_id(decision: Decision, image: PulledImage) -> uuid.UUID | None:
    if image.is_private:
        return PRIVATE_REGISTRY_ID
    return decision.registry.id if isinstance(decision, AllowedPull) else None


def _outcome(decision: Decision, failure: str) -> str:
    if not isinstance(decision, Allowed):
        return decision.reason.value
    return f"registry_{failure}" if failure else ALLOWED
