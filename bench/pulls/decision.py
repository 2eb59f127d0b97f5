"""How long a decision takes with few licenses and with many.

Each size has a database of its own. This process asks both in turn.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice

from bench.harness.errors import BenchError
from bench.harness.rounds import measure_in_turn, timed
from bench.pulls.plan import Plan
from bench.seed.databases import DATABASES, fill_database, use_database
from bench.seed.licenses import REGISTRIES
from licenses.models import License
from portal.crypto.secrets import Secret
from registries.decision.credentials import PresentedCredential
from registries.decision.pull import Decision, Denied, authorize_pull
from registries.models.outcomes import Reason

WARM_UP = 200
_EXPECTED = {Reason.LICENSE_EXPIRED, Reason.LICENSE_REVOKED}


# All times in milliseconds, by the number of licenses.
Decisions = Mapping[int, Sequence[float]]
Question = Callable[[], Decision]


def measure_decisions(plan: Plan) -> Decisions:
    """Seed both databases and time decisions about random licenses."""
    sizes = zip(DATABASES, (plan.few_licenses, plan.many_licenses), strict=True)
    per_round = plan.decisions_per_round + WARM_UP
    measurements = {}
    for database, licenses in sizes:
        fill_database(database, licenses)
        questions = iter(draw_questions(plan.rounds * per_round))
        measurements[licenses] = partial(_round, database, questions, per_round)
    rounds = measure_in_turn("Decisions", plan.rounds, measurements)
    return {licenses: list(chain(*times)) for licenses, times in rounds.items()}


def draw_questions(count: int) -> list[Question]:
    """Draw from the whole table, repeating licenses if there are too few."""
    drawn = License._base_manager.select_related("application").order_by("?")[:count]
    questions: list[Question] = [
        partial(
            authorize_pull,
            PresentedCredential("bench", Secret(license.license_id.reveal())),
            license.application.slug,
            f"registry{random.randrange(REGISTRIES)}",
            "my-org/api",
        )
        for license in drawn
    ]
    missing = count - len(questions)
    return questions + random.choices(questions, k=missing) if missing else questions


def _round(database: str, questions: Iterator[Question], count: int) -> list[float]:
    use_database(database)
    times = [_ask(question) for question in islice(questions, count)]
    # The connection is new.
    return times[WARM_UP:]


def _ask(question: Question) -> float:
    decision, milliseconds = timed(question)
    if isinstance(decision, Denied) and decision.reason not in _EXPECTED:
        raise BenchError(f"A seeded license was refused: {decision.message}")
    return milliseconds
