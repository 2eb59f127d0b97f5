"""How long one decision takes, at a few licenses and at very many.

The two sizes lie in databases of their own and are asked in turn, by this process.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.harness.database import use_database
from bench.harness.errors import BenchError
from bench.harness.stats import percentile
from bench.pulls.plan import Plan
from bench.pulls.rounds import Say
from bench.seed.licenses import REGISTRIES, analyze, seed_licenses
from licenses.models import License
from portal.crypto.secrets import Secret
from registries.decision.credentials import PresentedCredential
from registries.decision.pull import Denied, authorize_pull
from registries.decision.steps import Reason

WARM_UP = 200
_EXPECTED = {Reason.LICENSE_EXPIRED, Reason.LICENSE_REVOKED}


@dataclass(frozen=True, slots=True)
class DecisionTimes:
    """Milliseconds of all decisions at one number of licenses."""

    licenses: int
    calls: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody's license ID, and what they want to pull with it."""

    license_id: Secret
    application_slug: str
    upstream: str


@dataclass(frozen=True, slots=True)
class _Size:
    database: str
    licenses: int
    questions: list[Question]
    milliseconds: list[float]


def measure_decisions(
    databases: tuple[str, str], plan: Plan, say: Say
) -> tuple[DecisionTimes, DecisionTimes]:
    """Seed the two databases and time decisions about licenses drawn at random."""
    numbers = (plan.few_licenses, plan.many_licenses)
    sizes = [
        _prepare(database, number, plan, say)
        for database, number in zip(databases, numbers, strict=True)
    ]
    for number in range(plan.rounds):
        say(f"Decisions, round {number + 1} of {plan.rounds} …")
        for size in sizes:
            use_database(size.database)
            size.milliseconds.extend(_time_round(size, number, plan))
    few, many = (_times(size) for size in sizes)
    return few, many


def _prepare(database: str, licenses: int, plan: Plan, say: Say) -> _Size:
    use_database(database)
    say(f"Seeding {licenses:,} licenses …")
    started = time.perf_counter()
    seed_licenses(licenses)
    analyze()
    say(f"  took {time.perf_counter() - started:.0f} s")
    questions = draw_questions(plan.rounds * (plan.decisions_per_round + WARM_UP))
    return _Size(database, licenses, questions, [])


def draw_questions(count: int) -> list[Question]:
    """Draw licenses over the whole table, one more than once if there are too few."""
    drawn = License._base_manager.select_related("application").order_by("?")[:count]
    questions = [
        Question(
            license_id=Secret(license.license_id.reveal()),
            application_slug=license.application.slug,
            upstream=f"registry{random.randrange(REGISTRIES)}",
        )
        for license in drawn
    ]
    missing = count - len(questions)
    return questions + random.choices(questions, k=missing) if missing else questions


def _time_round(size: _Size, number: int, plan: Plan) -> Iterator[float]:
    per_round = plan.decisions_per_round + WARM_UP
    questions = size.questions[number * per_round : (number + 1) * per_round]
    # The connection is new.
    for question in questions[:WARM_UP]:
        _decide(question)
    yield from _time(questions[WARM_UP:])


def _time(questions: Sequence[Question]) -> Iterator[float]:
    for question in questions:
        started = time.perf_counter()
        _decide(question)
        yield (time.perf_counter() - started) * 1000


def _decide(question: Question) -> None:
    decision = authorize_pull(
        PresentedCredential("bench", question.license_id),
        question.application_slug,
        question.upstream,
        "my-org/api",
    )
    if isinstance(decision, Denied) and decision.reason not in _EXPECTED:
        raise BenchError(f"A seeded license was refused: {decision.message}")


def _times(size: _Size) -> DecisionTimes:
    return DecisionTimes(
        licenses=size.licenses,
        calls=len(size.milliseconds),
        p50_ms=percentile(size.milliseconds, 50),
        p99_ms=percentile(size.milliseconds, 99),
    )
