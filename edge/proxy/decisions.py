from __future__ import annotations

from edge.threads import DatabaseThreads
from portal.expiring_cache import ExpiringCache
from registries.authorization import Decision, authorize_pull
from registries.proxied_name import ProxiedName
from registries.pull_credentials import Subject

# Revocation is felt within one second on every path; the rest of it is for the
# request itself.
DECISION_SECONDS = 0.8
MAX_DECISIONS = 2_000

_Key = tuple[Subject | None, ProxiedName]


class Decisions:
    """Asks for the pull decision, at most once in 0.8 s for the same question.

    The age of an answer counts from before the database was asked. If the database
    does not answer, the question fails: nothing is ever allowed from memory.
    """

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._cache: ExpiringCache[_Key, Decision] = ExpiringCache(
            MAX_DECISIONS, join_seconds=DECISION_SECONDS
        )

    async def decide(self, subject: Subject | None, name: ProxiedName) -> Decision:
        """Return the decision; raises django.db.Error when it cannot be made."""

        async def load() -> tuple[Decision, float]:
            return await self._threads.call(ask), DECISION_SECONDS

        def ask() -> Decision:
            return authorize_pull(
                subject, name.application, name.upstream, name.repository
            )

        return await self._cache.get((subject, name), load)
