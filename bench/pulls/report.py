"""The goals and the report of pulls, tokens and decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.harness.load import Load
from bench.harness.report import Goal, Report, table
from bench.harness.rounds import medians, percentile
from bench.pulls.cold import FirstPull
from bench.pulls.decision import Decisions
from bench.pulls.plan import Plan
from bench.pulls.rounds import LargeBlob
from bench.pulls.targets import (
    BLOB,
    BY_DIGEST,
    DIRECT,
    EDGE,
    EDGE_PASSING_ON,
    KINDS,
    MIRROR,
)


@dataclass(frozen=True, slots=True)
class PullResults:
    """All figures except the decisions'; ``small`` is by kind and target."""

    plan: Plan
    targets: list[str]
    small: dict[tuple[str, str], Load]
    large: LargeBlob
    tokens: Load
    cold: dict[str, list[FirstPull]]


def make_report(results: PullResults, decisions: Decisions) -> Report:
    return Report(
        {
            "Small responses": _small(results),
            "Large blob": _large(results),
            "First pulls": _cold(results.cold),
            "Tokens": _tokens(results.tokens),
            "Decisions": _decisions(decisions),
        },
        [*_pull_goals(results), _decision_goal(decisions)],
    )


def _pull_goals(results: PullResults) -> Iterator[Goal]:
    """Yield every goal of the plain edge."""
    for kind in KINDS:
        yield _small_goal(results, kind, EDGE)
    # The edge's memory must not hide the cost of passing requests on.
    for kind in (BLOB, BY_DIGEST):
        yield _small_goal(results, kind, EDGE_PASSING_ON)
    share = results.large.speeds[EDGE] / results.large.speeds[DIRECT] * 100
    name = "Large blob: MB/s against the upstream directly"
    yield Goal(name, share, "at least", 70, " %")


def _small_goal(results: PullResults, kind: str, target: str) -> Goal:
    edge = results.small[kind, target].requests_per_second
    mirror = results.small[kind, MIRROR].requests_per_second
    name = f"{kind}: requests/s against {MIRROR}. {target}"
    return Goal(name, edge / mirror, "at least", 1.5, " times")


def _decision_goal(decisions: Decisions) -> Goal:
    few, many = decisions
    ratio = percentile(decisions[many], 99) / percentile(decisions[few], 99)
    name = f"Decision: p99 at {many:,} against {few:,} licenses"
    return Goal(name, ratio, "at most", 1.3, " times")


def _small(results: PullResults) -> str:
    return (
        "Requests/s, and p99 in milliseconds.\n\n"
        f"{_small_table(results, _speed)}\n\n"
        "Processor time per request of the process that answers, without that of the "
        "upstream behind it.\n\n"
        f"{_small_table(results, _cost)}"
    )


def _small_table(results: PullResults, cell: Callable[[Load], str]) -> str:
    names = results.targets
    loads = results.small
    rows = ((kind, *(cell(loads[kind, name]) for name in names)) for kind in KINDS)
    return table(("", *names), rows)


def _speed(load: Load) -> str:
    return f"{load.requests_per_second:,.0f} · {load.p99_ms:.1f} ms"


def _cost(load: Load) -> str:
    return f"{load.cpu_ms:.2f} ms"


def _large(results: PullResults) -> str:
    size = results.plan.large_blob_bytes // 2**20
    speeds = [f"{results.large.speeds[name]:,.0f} MB/s" for name in results.targets]
    peak = results.large.edge_peak_bytes / 2**20
    return (
        table(("", *results.targets), [(f"{size} MiB blob", *speeds)])
        + f"\n\nThe edge's peak resident memory was {peak:.0f} MiB, after all of the "
        "pulls above."
    )


def _cold(cold: Mapping[str, Sequence[FirstPull]]) -> str:
    head = ("", "Pulls", "Token, median", "Manifest, median", "Manifest, longest")
    return table(head, (_cold_row(name, pulls) for name, pulls in cold.items()))


def _cold_row(name: str, pulls: Sequence[FirstPull]) -> tuple[str, ...]:
    middle, longest = medians(pulls), max(pull.manifest_ms for pull in pulls)
    times = (middle.token_ms, middle.manifest_ms, longest)
    return (name, str(len(pulls)), *(f"{time:.0f} ms" for time in times))


def _tokens(tokens: Load) -> str:
    return (
        f"{tokens.requests_per_second:,.0f} tokens/s, p99 {tokens.p99_ms:.1f} ms, "
        f"{tokens.cpu_ms:.2f} ms of the edge's processor time per token, for a license "
        "and one scope."
    )


def _decisions(decisions: Decisions) -> str:
    rows = (
        (
            f"{licenses:,}",
            f"{len(times):,}",
            f"{percentile(times, 50):.2f} ms",
            f"{percentile(times, 99):.2f} ms",
        )
        for licenses, times in decisions.items()
    )
    return table(("Licenses", "Decisions", "p50", "p99"), rows)
