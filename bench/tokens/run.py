"""``python -m bench tokens``: token requests with few licenses and with many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial

from bench.harness.load import CONNECTIONS, Load
from bench.harness.report import Goal, Report, table
from bench.harness.rounds import measure_in_turn, medians
from bench.harness.servers import Server, Servers, running_edge
from bench.harness.tools import require_tools
from bench.seed.databases import DATABASES, copy_databases, database_url, fill_database
from bench.tokens.load import TokenLoad, load_tokens
from bench.tokens.questions import (
    ANONYMOUS,
    KINDS,
    QUESTIONS_PER_SECOND,
    WITH_LICENSE,
    TokenQuestions,
)
from deploy.local.private_files import private_directory, write_private
from registries.tokens.signing_keys import load_roots


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """The sizes of one run."""

    few_licenses: int
    many_licenses: int
    rounds: int
    load_seconds: int

    @property
    def questions(self) -> int:
        """Return how many questions are prepared for a round of one kind."""
        return self.load_seconds * QUESTIONS_PER_SECOND


FULL = TokenPlan(few_licenses=1_000, many_licenses=1_000_000, rounds=5, load_seconds=3)
QUICK = TokenPlan(few_licenses=1_000, many_licenses=20_000, rounds=2, load_seconds=1)


Rounds = Mapping[tuple[str, int], Sequence[TokenLoad]]


def measure_tokens(servers: Servers, *, quick: bool) -> Report:
    """Measure token requests of every kind.

    Raises:
        BenchError: a request failed or returned a wrong token, or wrk is missing.
        LocalStackError: an edge did not start.
    """
    require_tools("wrk")
    plan = QUICK if quick else FULL
    copy_databases()
    sizes = zip(DATABASES, (plan.few_licenses, plan.many_licenses), strict=True)
    with ExitStack() as stack:
        measures = {}
        for database, licenses in sizes:
            fill_database(database, licenses)
            edge = stack.enter_context(_running_edge(servers, database))
            measures[licenses] = _measure(servers, edge, plan)
        measurements = {
            (kind, licenses): partial(measure, kind)
            for kind in KINDS
            for licenses, measure in measures.items()
        }
        rounds = measure_in_turn("Tokens", plan.rounds, measurements, warm_up=True)
    return _report(plan, rounds)


def _running_edge(servers: Servers, database: str) -> AbstractContextManager[Server]:
    """Run an edge on a database."""
    own = private_directory(servers.directory / database)
    url = write_private(own / "database-url", database_url(database))
    return running_edge({**servers.environment, "DATABASE_URL_FILE": str(url)}, own)


def _measure(
    servers: Servers, edge: Server, plan: TokenPlan
) -> Callable[[str], TokenLoad]:
    """Return a function that loads an edge with questions of a kind."""
    rounds = len(WITH_LICENSE) * (plan.rounds + 1)
    questions = TokenQuestions(rounds * plan.questions)
    root = servers.settings.signing / "root.crt"
    roots = load_roots(root.read_text(encoding="utf-8"))

    def measure(kind: str) -> TokenLoad:
        return load_tokens(
            edge,
            questions.take(kind, plan.questions),
            plan.load_seconds,
            servers.directory,
            roots,
        )

    return measure


def _report(plan: TokenPlan, rounds: Rounds) -> Report:
    about = (
        f"{CONNECTIONS} connections, {plan.rounds} rounds of {plan.load_seconds} s; "
        "medians over the rounds. The signature, subject and exact grants of every "
        "token were verified."
    )
    head = (
        *("", "Licenses", "Tokens/s", "p50", "p99"),
        *("Edge processor time per token", "Tokens verified", "Different logins"),
    )
    rows = (_row(kind, number, loads) for (kind, number), loads in rounds.items())
    return Report(
        {"Tokens by number of licenses": f"{about}\n\n{table(head, rows)}"},
        [_goal(kind, plan, rounds) for kind in KINDS],
    )


def _goal(kind: str, plan: TokenPlan, rounds: Rounds) -> Goal:
    few, many = plan.few_licenses, plan.many_licenses
    fast, slow = (_median(rounds[kind, number]) for number in (few, many))
    ratio = slow.requests_per_second / fast.requests_per_second
    name = f"Tokens/s at {many:,} against {few:,} licenses. {kind}"
    return Goal(name, ratio, "at least", 0.8, " times")


def _median(rounds: Sequence[TokenLoad]) -> Load:
    return medians([item.load for item in rounds])


def _row(kind: str, licenses: int, rounds: Sequence[TokenLoad]) -> tuple[str, ...]:
    load = _median(rounds)
    subjects = {subject for item in rounds for subject in item.subjects}
    return (
        kind,
        f"{licenses:,}",
        f"{load.requests_per_second:,.0f}",
        f"{load.p50_ms:.1f} ms",
        f"{load.p99_ms:.1f} ms",
        f"{load.cpu_ms:.2f} ms",
        f"{sum(item.tokens for item in rounds):,}",
        f"{len(subjects):,}" if kind != ANONYMOUS else "none",
    )
