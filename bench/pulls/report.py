"""The report of pulls, tokens and decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.harness.load import CONNECTIONS, Load
from bench.harness.report import Report, table
from bench.harness.rounds import medians
from bench.pulls.cold import FirstPull
from bench.pulls.goals import goals
from bench.pulls.results import PullResults, summary
from bench.pulls.rounds import LARGE_KINDS, SmallKey
from bench.pulls.targets import KINDS
from bench.revisions.pair import Age

_REVISIONS = {Age.NOW: "This one", Age.BEFORE: "The commit before"}


def make_report(results: PullResults) -> Report:
    return Report(
        {
            "Decisions in process": _decisions(results),
            "Tokens": _tokens(results),
            **dict(_small(results)),
            "Large blob": _large(results),
            "Memory": _memory(results.peak_bytes),
            "First pulls": _first_pulls(results.first),
        },
        goals(results),
        results.figures(),
    )


def _decisions(results: PullResults) -> str:
    head = ("Revision", "Licenses", "Decisions", "Processor time", "p50", "p99")
    return table(
        head,
        (
            (
                _REVISIONS[age],
                f"{licenses:,}",
                f"{len(decisions.times_ms):,}",
                *(f"{value:.2f} ms" for value in summary(decisions).values()),
            )
            for (age, licenses), decisions in results.comparison.decisions.items()
        ),
    )


def _tokens(results: PullResults) -> str:
    about = (
        f"{results.plan.many_licenses:,} licenses, {CONNECTIONS} connections. All "
        "tokens were verified."
    )
    head = ("", "Revision", "Tokens/s", "p50", "p99", "Edge processor time per token")
    rows = (
        (kind, _REVISIONS[age], *_token_cells(load))
        for (age, kind), load in results.comparison.tokens.items()
    )
    return f"{about}\n\n{table(head, rows)}"


def _token_cells(load: Load) -> tuple[str, ...]:
    times = (f"{value:.1f} ms" for value in (load.p50_ms, load.p99_ms))
    return (f"{load.requests_per_second:,.0f}", *times, f"{load.cpu_ms:.2f} ms")


def _small(results: PullResults) -> Iterable[tuple[str, str]]:
    for clients in results.plan.clients:
        speeds = _small_table(results, clients, _speed)
        yield f"Small responses: requests/s and p99, {clients} clients", speeds
    costs = _small_table(results, results.plan.most_clients, _cost)
    about = (
        "Of the process that answers, without the upstream; behind nginx, nginx and "
        "the edge."
    )
    title = f"Small responses: processor time, {results.plan.most_clients} clients"
    yield title, f"{about}\n\n{costs}"


def _small_table(
    results: PullResults, clients: int, cell: Callable[[Load], str]
) -> str:
    small = results.small
    names = dict.fromkeys(key.target for key in small)
    rows = (
        (name, *(cell(small[SmallKey(kind, name, clients)]) for kind in KINDS))
        for name in names
    )
    return table(("", *KINDS), rows)


def _speed(load: Load) -> str:
    return f"{load.requests_per_second:,.0f} · {load.p99_ms:.1f} ms"


def _cost(load: Load) -> str:
    cost = f"{load.cpu_ms:.3f} ms"
    return f"{cost} + {load.behind_cpu_ms:.3f} ms" if load.behind_cpu_ms else cost


def _large(results: PullResults) -> str:
    plan, large = results.plan, results.large
    about = (
        f"MB/s of {plan.large_blob_bytes // 2**20} MiB, and of a range of "
        f"{plan.range_bytes // 2**20} MiB from its middle."
    )
    names = dict.fromkeys(name for _, name in large)
    rows = (
        (
            name,
            *(
                f"{large[kind, name]:,.0f}" if (kind, name) in large else ""
                for kind in LARGE_KINDS
            ),
        )
        for name in names
    )
    return f"{about}\n\n{table(('', *LARGE_KINDS), rows)}"


def _memory(peaks: Mapping[str, int]) -> str:
    head = ("Edge", "Peak resident memory, after all of the pulls above")
    return table(head, ((name, f"{peak / 1e6:.0f} MB") for name, peak in peaks.items()))


def _first_pulls(pulls: Mapping[str, Sequence[FirstPull]]) -> str:
    head = ("", "Pulls", "Token, median", "Manifest, median", "Manifest, longest")
    return table((*head, "1 KB layer, median"), map(_first_row, pulls.items()))


def _first_row(item: tuple[str, Sequence[FirstPull]]) -> tuple[str, ...]:
    name, pulls = item
    middle, longest = medians(pulls), max(pull.manifest_ms for pull in pulls)
    times = (middle.token_ms, middle.manifest_ms, longest, middle.blob_ms)
    return (name, str(len(pulls)), *(f"{time:.0f} ms" for time in times))
