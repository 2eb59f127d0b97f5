from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from portal.expiring_cache import ExpiringCache
from registries.decision.credentials import Subject

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")

# A revocation takes effect within one second on every path; the rest of that second is
# for the request itself.
DECISION_SECONDS = 0.8
MAX_DECISIONS = 2_000


class Decisions(Generic[Question, Answer]):
    """Asks for a decision, at most once in 0.8 s for the same question.

    An answer's age counts from before the database was asked. If the database does not
    answer, the question fails: nothing is ever allowed from memory.
    """

    def __init__(
        self, decision: Callable[[Subject | None, Question], Awaitable[Answer]]
    ) -> None:
        """Ask ``decision``, which reads live state."""
        self._decision = decision
        self._cache: ExpiringCache[tuple[Subject | None, Question], Answer] = (
            ExpiringCache(MAX_DECISIONS, join_seconds=DECISION_SECONDS)
        )

    async def decide(self, subject: Subject | None, question: Question) -> Answer:
        """Return the decision.

        Raises:
            django.db.Error: it cannot be made.
            ShareExceeded: the subject waits for too many others.
        """

        async def load() -> tuple[Answer, float]:
            return await self._decision(subject, question), DECISION_SECONDS

        return await self._cache.get((subject, question), load)

    async def decide_now(self, subject: Subject | None, question: Question) -> Answer:
        """Return a decision that is made now, for a caller that remembers it too.

        Raises:
            django.db.Error: it cannot be made.
            ShareExceeded: the subject waits for too many others.
        """
        self._cache.forget((subject, question))
        return await self.decide(subject, question)
