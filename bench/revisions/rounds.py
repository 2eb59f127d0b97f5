"""Decisions and tokens of both revisions, in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from statistics import median

from bench.harness.load import Load
from bench.harness.rounds import measure_in_turn, medians
from bench.revisions.calls import Decisions, Tokens
from bench.revisions.pair import Age, Revisions, largest
from bench.tokens.questions import ANONYMOUS, PROXIED_PULL, QUESTIONS_PER_SECOND

TOKEN_KINDS = (PROXIED_PULL, ANONYMOUS)


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """How often to ask."""

    rounds: int
    decisions_per_round: int
    token_seconds: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over all rounds.

    Of decisions by revision and number of licenses; of tokens by revision and kind,
    with many licenses.
    """

    decisions: Mapping[tuple[Age, int], Decisions]
    tokens: Mapping[tuple[Age, str], Load]


def compare(revisions: Revisions, plan: ComparisonPlan) -> Comparison:
    """Measure decisions with few and many licenses, and tokens with many.

    The edges of the revisions with many licenses are running.
    """
    rounds = plan.rounds + 1  # for the warm-up
    for seeded in revisions.values():
        seeded.code.draw(
            decisions=rounds * plan.decisions_per_round,
            tokens=rounds * plan.token_seconds * QUESTIONS_PER_SECOND,
        )
    return Comparison(_decisions(revisions, plan), _tokens(revisions, plan))


def _decisions(
    revisions: Revisions, plan: ComparisonPlan
) -> dict[tuple[Age, int], Decisions]:
    measurements = {
        key: partial(seeded.code.decide, plan.decisions_per_round)
        for key, seeded in revisions.items()
    }
    rounds = measure_in_turn("Decisions", plan.rounds, measurements, warm_up=True)
    return {
        key: Decisions(
            cpu_ms=median(item.cpu_ms for item in results),
            times_ms=list(chain(*(item.times_ms for item in results))),
        )
        for key, results in rounds.items()
    }


def _tokens(revisions: Revisions, plan: ComparisonPlan) -> dict[tuple[Age, str], Load]:
    count = plan.token_seconds * QUESTIONS_PER_SECOND

    def measure(age: Age, kind: str) -> Tokens:
        code = largest(revisions, age).code
        return code.load_tokens(kind, count=count, seconds=plan.token_seconds)

    measurements = {
        (age, kind): partial(measure, age, kind) for kind in TOKEN_KINDS for age in Age
    }
    rounds = measure_in_turn("Tokens", plan.rounds, measurements, warm_up=True)
    return {
        key: medians([item.load for item in results]) for key, results in rounds.items()
    }
