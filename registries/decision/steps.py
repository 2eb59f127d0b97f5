"""What the pull decision goes through: its steps, and why it ends at one."""

from __future__ import annotations

from dataclasses import dataclass

from registries.models.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Step:
    """One question the decision asked, and what it found."""

    check: str
    passed: bool
    detail: str


class Refusal(Exception):  # noqa: N818 -- control flow inside the decision
    """The decision ends here."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def passed(trace: list[Step], check: str, detail: str) -> None:
    """Write down a question that was answered well."""
    trace.append(Step(check, passed=True, detail=detail))


def refused(
    trace: list[Step], check: str, reason: Reason, message: str, detail: str = ""
) -> Refusal:
    """Write down a question that was not; return what to raise.

    ``message`` is for the customer, ``detail`` for the vendor.
    """
    trace.append(Step(check, passed=False, detail=detail or message))
    return Refusal(reason, message)
