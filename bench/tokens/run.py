"""``python -m bench tokens``: token requests at a few licenses and at very many."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from bench.harness.database import copy_database, database_url, use_database
from bench.harness.load import CONNECTIONS, Load
from bench.harness.machine import MachineWatch
from bench.harness.servers import (
    NO_TOKEN_LIMIT,
    Edge,
    running_edge_in,
    write_signing_keys,
)
from bench.harness.tools import require_tools
from bench.pulls.goals import Goal
from bench.pulls.report import met_and_missed, table
from bench.pulls.rounds import Say, median_load
from bench.seed.licenses import analyze, seed_licenses
from bench.tokens.load import TokenLoad, load_tokens
from bench.tokens.questions import (
    ANONYMOUS,
    KINDS,
    PROXIED_PULL,
    WITH_LICENSE,
    TokenQuestions,
)
from deploy.local.private_files import private_directory, write_private
from registries.tokens.registry_token import TokenVerifier
from registries.tokens.signing_keys import load_roots

DATABASES = ("bench_few", "bench_many")
GOAL = 0.8
# More than one edge gives, so that no license comes twice in a round.
QUESTIONS_PER_SECOND = 2_000


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """The sizes of one run."""

    few_licenses: int
    many_licenses: int
    rounds: int
    load_seconds: int

    @property
    def questions(self) -> int:
        """Return how many questions a round of one kind has at hand."""
        return self.load_seconds * QUESTIONS_PER_SECOND


FULL = TokenPlan(few_licenses=1_000, many_licenses=1_000_000, rounds=5, load_seconds=3)
QUICK = TokenPlan(few_licenses=1_000, many_licenses=20_000, rounds=2, load_seconds=1)


@dataclass(frozen=True, slots=True)
class Size:
    """A database with so many licenses, and an edge of its own on it."""

    licenses: int
    questions: TokenQuestions
    edge: Edge
    rounds: dict[str, list[TokenLoad]] = field(default_factory=dict)

    def median(self, kind: str) -> Load:
        return median_load([each.load for each in self.rounds[kind]])


def run_tokens(directory: Path, say: Say, *, quick: bool) -> str:
    """Measure token requests of every kind; return the report.

    Raises:
        BenchError: a request failed, or gave something else than the right token.
        LocalStackError: an edge did not start.
    """
    require_tools("wrk")
    plan = QUICK if quick else FULL
    watch = MachineWatch.start()
    call_command("migrate", interactive=False, verbosity=0)
    signing = directory / "secrets" / "signing"
    write_signing_keys(signing)
    root = (signing / "root.crt").read_text(encoding="utf-8")
    for name in DATABASES:
        copy_database(name)
    numbers = (plan.few_licenses, plan.many_licenses)
    with ExitStack() as stack:
        sizes = [
            stack.enter_context(_prepared(database, licenses, directory, plan, say))
            for database, licenses in zip(DATABASES, numbers, strict=True)
        ]
        _measure(directory, sizes, root, plan, say)
    return _render(sizes, plan, watch.finish())


@contextmanager
def _prepared(
    database: str, licenses: int, directory: Path, plan: TokenPlan, say: Say
) -> Iterator[Size]:
    """Fill a database and start an edge on it."""
    use_database(database)
    say(f"Seeding {licenses:,} licenses …")
    started = time.perf_counter()
    seed_licenses(licenses)
    analyze()
    say(f"  took {time.perf_counter() - started:.0f} s")
    rounds = len(WITH_LICENSE) * (plan.rounds + 1)
    questions = TokenQuestions(licenses=rounds * plan.questions)
    own = private_directory(directory / database)
    url = write_private(own / "database-url", database_url(database))
    environment = {**os.environ, **NO_TOKEN_LIMIT, "DATABASE_URL_FILE": str(url)}
    with running_edge_in(environment, own) as edge:
        yield Size(licenses, questions, edge)


def _measure(
    directory: Path, sizes: Sequence[Size], root: str, plan: TokenPlan, say: Say
) -> None:
    """Load the edges in turn, either one first; a first round only warms up."""
    for number in range(plan.rounds + 1):
        say(f"Tokens, round {number} of {plan.rounds} …")
        in_turn = sizes if number % 2 else sizes[::-1]
        for kind in KINDS:
            for size in in_turn:
                measured = load_tokens(
                    size.edge,
                    size.questions.take(kind, plan.questions),
                    plan.load_seconds,
                    directory,
                    TokenVerifier(load_roots(root), _service(kind)),
                )
                if number:
                    size.rounds.setdefault(kind, []).append(measured)


def _service(kind: str) -> str:
    if kind == PROXIED_PULL:
        return str(settings.BERTH_PROXY_SERVICE)
    return str(settings.BERTH_REGISTRY_SERVICE)


def _render(sizes: Sequence[Size], plan: TokenPlan, machine: Mapping[str, str]) -> str:
    few, many = sizes
    about = (
        f"{CONNECTIONS} connections, {plan.rounds} rounds of {plan.load_seconds} s; "
        "medians over the rounds. Every token that came was verified: its signature, "
        "its subject, and that it grants just what was asked for."
    )
    return "\n\n".join(
        [
            met_and_missed(_goal(kind, few, many) for kind in KINDS),
            "### Tokens by number of licenses",
            about,
            _table(sizes),
            "### Machine of the tokens",
            table(("", ""), machine.items()),
        ]
    )


def _goal(kind: str, few: Size, many: Size) -> Goal:
    ratio = many.median(kind).requests_per_second / few.median(kind).requests_per_second
    return Goal(
        name=f"Tokens/s at {many.licenses:,} against {few.licenses:,} licenses. {kind}",
        bound=f"at least {GOAL} times",
        measured=f"{ratio:.2f} times",
        met=ratio >= GOAL,
    )


def _table(sizes: Sequence[Size]) -> str:
    return table(
        (
            *("", "Licenses", "Tokens/s", "p50", "p99"),
            *(
                "The edge's processor time for each",
                "Tokens verified",
                "Different logins",
            ),
        ),
        (_row(kind, size) for kind in KINDS for size in sizes),
    )


def _row(kind: str, size: Size) -> tuple[str, ...]:
    load, rounds = size.median(kind), size.rounds[kind]
    subjects = frozenset[object]().union(*(each.subjects for each in rounds))
    return (
        kind,
        f"{size.licenses:,}",
        f"{load.requests_per_second:,.0f}",
        f"{load.p50_ms:.1f} ms",
        f"{load.p99_ms:.1f} ms",
        f"{load.cpu_ms:.2f} ms",
        f"{sum(each.tokens for each in rounds):,}",
        f"{len(subjects):,}" if kind != ANONYMOUS else "none",
    )
