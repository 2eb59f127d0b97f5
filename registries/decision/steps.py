"""The steps of a decision, and the refusal that ends it."""

from __future__ import annotations

from dataclasses import dataclass

from registries.decision.facts import Candidate
from registries.models.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Step:
    """One check of the decision, with its result. ``detail`` is for the vendor."""

    check: str
    passed: bool
    detail: str


class Refusal(Exception):  # noqa: N818 -- control flow inside the decision
    """Ends the decision at a check.

    ``message`` is for the customer, ``detail`` for the vendor, who reads the message
    where there is no detail. ``registry`` is the one that would have served the pull.
    """

    def __init__(
        self,
        check: str,
        reason: Reason,
        message: str,
        *,
        detail: str = "",
        registry: Candidate | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.registry = registry
        self.step = Step(check, passed=False, detail=detail or message)


def passed(trace: list[Step], check: str, detail: str) -> None:
    trace.append(Step(check, passed=True, detail=detail))
