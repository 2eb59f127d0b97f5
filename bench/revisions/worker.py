"""One revision's own code on one database, called by lines of JSON.

Everything that this file imports belongs to the revision whose tree is PYTHONPATH. So
it uses only names that ``BEFORE`` has too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import django
from django.conf import settings

django.setup()

from bench.harness.rounds import timed
from bench.harness.servers import Server, running_edge
from bench.pulls import decision
from bench.seed.licenses import seed_licenses
from bench.tokens.load import load_tokens
from bench.tokens.questions import PROXIED_PULL, TokenQuestions
from registries.models import ExternalRegistry
from registries.tokens.signing_keys import load_roots

# Seeded licenses are refused for nothing else.
_REFUSALS = {"license_expired", "license_revoked"}


class Worker:
    """Answers the calls of ``bench.revisions.calls``, which documents them."""

    _decisions: Iterator[Any]
    _tokens: TokenQuestions
    _edge: Server

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack

    def seed(self, licenses: int) -> None:
        seed_licenses(licenses)

    def move_registries(self, slug: str, endpoint: str) -> None:
        ExternalRegistry.objects.filter(slug=slug).update(endpoint=endpoint)

    def draw(self, decisions: int, tokens: int) -> None:
        self._decisions = iter(decision.draw_questions(decisions))
        self._tokens = TokenQuestions(tokens)

    def decide(self, count: int) -> dict[str, Any]:
        questions = list(islice(self._decisions, count))
        before = time.process_time()
        answers = _decide_all(questions)
        cpu = time.process_time() - before
        for answer, _ in answers:
            _require_expected(answer)
        return {"cpu_ms": cpu * 1000 / count, "times_ms": [ms for _, ms in answers]}

    def start_edge(self) -> dict[str, Any]:
        running = running_edge(os.environ, self._directory)
        self._edge = self._stack.enter_context(running)
        return {"pid": self._edge.pid, "host": self._edge.host}

    def load_tokens(self, kind: str, count: int, seconds: int) -> dict[str, Any]:
        result = load_tokens(
            self._edge,
            self._tokens.take(kind, count),
            seconds,
            self._directory,
            load_roots(settings.BERTH_TOKEN_ROOTS),
        )
        return {"tokens": result.tokens, **asdict(result.load)}

    def license(self) -> dict[str, str]:
        [question] = self._tokens.take(PROXIED_PULL, 1)
        asker = question.asker
        if asker is None:
            raise TypeError("A pull through the proxy has a license.")
        return {"id": asker.password.reveal(), "application": asker.application}


def _decide_all(questions: Sequence[Any]) -> list[tuple[Any, float]]:
    """Return each decision, made as the revision's edge makes it, and its ms."""
    # BEFORE decides one after the other in each of its threads.
    decide_all = getattr(decision, "decide_all", None)
    return decide_all(questions) if decide_all else list(map(timed, questions))


def _require_expected(answer: Any) -> None:
    reason = getattr(answer, "reason", None)
    if reason is not None and reason.value not in _REFUSALS:
        raise ValueError(f"A seeded license was refused: {answer.message}")


def main() -> None:
    with ExitStack() as stack:
        worker = Worker(Path(sys.argv[1]), stack)
        for line in sys.stdin:
            name, arguments = json.loads(line)
            answer = getattr(worker, name)(**arguments)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
