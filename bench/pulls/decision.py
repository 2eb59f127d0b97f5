"""Decisions about random licenses, in process: the one place that asks for them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import uvloop

from bench.seed.licenses import REGISTRIES
from edge.facts import FactsSource
from edge.services import DECISION_CONNECTIONS, QUESTIONS_OF_HOLDER
from licenses.models import License
from portal.crypto.secrets import Secret
from portal.limits.fair_share import FairShare
from registries.decision.credentials import PresentedCredential
from registries.decision.proxied_name import ProxiedName
from registries.decision.pull import AllowedPull, Denied, decide_pull
from registries.decision.query import FactsQuery

# As many as the load generator has connections.
AT_ONCE = 16


class Question(NamedTuple):
    license_id: Secret
    name: ProxiedName


def draw_questions(count: int) -> list[Question]:
    """Draw from the whole table, repeating licenses if there are too few."""
    drawn = License._base_manager.select_related("application").order_by("?")[:count]
    questions = [
        Question(
            Secret(license.license_id.reveal()),
            ProxiedName(
                license.application.slug,
                f"registry{random.randrange(REGISTRIES)}",
                "my-org/api",
            ),
        )
        for license in drawn
    ]
    missing = count - len(questions)
    return questions + random.choices(questions, k=missing) if missing else questions


def decide_all(
    questions: Sequence[Question],
) -> list[tuple[AllowedPull | Denied, float]]:
    """Decide as the edge does; return each decision and how many ms it took."""
    return uvloop.run(_decide_all(questions))


async def _decide_all(
    questions: Sequence[Question],
) -> list[tuple[AllowedPull | Denied, float]]:
    share = FairShare("bench-decisions", total=4000, each=4000)
    answers: list[tuple[AllowedPull | Denied, float]] = []
    waiting = iter(questions)

    async def ask(source: FactsSource, some: Iterator[Question]) -> None:
        for question in some:
            began = time.perf_counter()
            decision = await _decide(source, question)
            answers.append((decision, (time.perf_counter() - began) * 1000))

    async with FactsSource(
        DECISION_CONNECTIONS, each=QUESTIONS_OF_HOLDER, share=share
    ) as source:
        # Connect, and prepare the statement.
        await asyncio.gather(*(_decide(source, questions[0]) for _ in range(AT_ONCE)))
        await asyncio.gather(*(ask(source, waiting) for _ in range(AT_ONCE)))
    return answers


async def _decide(source: FactsSource, question: Question) -> AllowedPull | Denied:
    presented = PresentedCredential("bench", question.license_id)
    query = FactsQuery(presented, [question.name.wanted])
    facts = await source.fetch_for(id(question), query)
    return decide_pull(facts, facts.images[0], question.name)
