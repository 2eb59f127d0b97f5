from __future__ import annotations

from dataclasses import dataclass

from bench.harness.load import Load
from bench.pulls.cold import Cold
from bench.pulls.decision import DecisionTimes
from bench.pulls.plan import Plan
from bench.pulls.rounds import LargeBlob


@dataclass(frozen=True, slots=True)
class PullResults:
    """What pulls and tokens cost; ``small`` is by kind and target."""

    targets: list[str]
    small: dict[tuple[str, str], Load]
    large: LargeBlob
    tokens: Load
    cold: Cold


@dataclass(frozen=True, slots=True)
class Results:
    """All figures of one run."""

    plan: Plan
    machine: dict[str, str]
    pulls: PullResults
    few: DecisionTimes
    many: DecisionTimes
