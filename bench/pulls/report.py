"""The report in Markdown, and its place in ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bench.harness.errors import BenchError
from bench.harness.load import Load
from bench.pulls.cold import FirstPull, median_first_pull
from bench.pulls.goals import Goal, goals
from bench.pulls.results import Results
from bench.pulls.targets import KINDS

PULLS = "bench"
PAGES = "pages"
CHECKS = "checks"
TOKENS = "tokens"
INSTALLER = "installer"


def render(results: Results) -> str:
    """Return the whole report."""
    sections = {
        "Met and missed": met_and_missed(goals(results)),
        "Small answers": _small(results),
        "Large blob": _large(results),
        "First pulls": _cold(results),
        "Tokens": _tokens(results),
        "Decisions": _decisions(results),
        "Machine": table(("", ""), results.machine.items()),
    }
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in sections.items())


def write_report(page: Path, report: str, name: str = PULLS) -> None:
    """Put a report between its markers in a page; the rest of it stays.

    Raises:
        BenchError: the page does not have both markers, in order.
    """
    first, last = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise BenchError(f"{page} has no {first} with a {last} after it.")
    page.write_text(f"{before}{first}\n\n{report}\n\n{last}{after}", encoding="utf-8")


def met_and_missed(judged: Iterable[Goal]) -> str:
    """Return a table of goals."""
    return table(
        ("Goal", "Bound", "Measured", ""),
        (
            (goal.name, goal.bound, goal.measured, "met" if goal.met else "**missed**")
            for goal in judged
        ),
    )


def _small(results: Results) -> str:
    head = ("", *results.pulls.targets)
    return (
        "Requests/s, and p99 in milliseconds.\n\n"
        + table(head, _small_rows(results, _speed))
        + "\n\nProcessor time per request of the process that answers. Where it "
        "asks the upstream in turn, that one's time is not in these figures.\n\n"
        + table(head, _small_rows(results, _cost))
    )


def _small_rows(
    results: Results, cell: Callable[[Load], str]
) -> Iterator[tuple[str, ...]]:
    for kind in KINDS:
        loads = (results.pulls.small[kind, target] for target in results.pulls.targets)
        yield (kind, *map(cell, loads))


def _speed(load: Load) -> str:
    return f"{load.requests_per_second:,.0f} · {load.p99_ms:.1f} ms"


def _cost(load: Load) -> str:
    return f"{load.cpu_ms:.2f} ms"


def _large(results: Results) -> str:
    size = results.plan.large_blob_bytes // 2**20
    speeds = [
        f"{results.pulls.large.speeds[name]:,.0f} MB/s"
        for name in results.pulls.targets
    ]
    peak = results.pulls.large.edge_peak_bytes / 2**20
    return (
        table(("", *results.pulls.targets), [(f"{size} MiB blob", *speeds)])
        + f"\n\nThe edge's resident memory was {peak:.0f} MiB at its highest, "
        "after all of the pulls above."
    )


def _cold(results: Results) -> str:
    cold = results.pulls.cold
    return table(
        ("", "Pulls", "Token, median", "Manifest, median", "Manifest, longest"),
        [
            _cold_row("An edge just started", cold.fresh_edges),
            _cold_row("A new license and repository", cold.new_pairs),
        ],
    )


def _cold_row(name: str, pulls: list[FirstPull]) -> tuple[str, ...]:
    middle = median_first_pull(pulls)
    longest = max(each.manifest_ms for each in pulls)
    times = (middle.token_ms, middle.manifest_ms, longest)
    return (name, str(len(pulls)), *(f"{time:.0f} ms" for time in times))


def _tokens(results: Results) -> str:
    tokens = results.pulls.tokens
    return (
        f"{tokens.requests_per_second:,.0f} tokens/s, p99 {tokens.p99_ms:.1f} ms, "
        f"{tokens.cpu_ms:.2f} ms of the edge's processor time each, for a license and "
        "one scope."
    )


def _decisions(results: Results) -> str:
    return table(
        ("Licenses", "Decisions", "p50", "p99"),
        (
            (
                f"{each.licenses:,}",
                f"{each.calls:,}",
                f"{each.p50_ms:.2f} ms",
                f"{each.p99_ms:.2f} ms",
            )
            for each in (results.few, results.many)
        ),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
