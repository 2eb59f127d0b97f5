"""The report of a run without violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.harness.report import Goal, Report, table
from bench.harness.rounds import percentile
from bench.revocation.figures import RouteFigures, figures
from bench.revocation.history import Answer, History, Kind, Process, Route
from bench.revocation.plan import Plan

Figures = Mapping[Route, RouteFigures]


def make_report(history: History, plan: Plan, seed: int, hits: int) -> Report:
    """Return the report; the history has been checked.

    ``hits`` is how many pulls were served from the disk cache behind nginx.
    """
    by_route = figures(history)
    return Report(
        {
            "Answers": _answers(history.answers),
            "Time from a commit to the last content": _latencies(by_route),
            "Long downloads": _downloads(history.answers, by_route),
            "Changes and troubles": _events(history, seed),
        },
        [*_goals(history, by_route, plan), _warm_cache(hits, plan)],
    )


def _goals(history: History, by_route: Figures, plan: Plan) -> Sequence[Goal]:
    worst = {
        route: max(figure.latencies, default=0.0) for route, figure in by_route.items()
    }
    limit = plan.promises.answer * 1000
    return [
        Goal("Requests", len(history.answers), "at least", plan.least_requests),
        Goal(
            "Ends of rights that requests came after, by each route",
            min(len(figure.latencies) for figure in by_route.values()),
            "at least",
            plan.least_ends,
        ),
        Goal("Violations", 0, "at most", 0),
        *(
            Goal(f"Worst latency, {route}", 1000 * seconds, "at most", limit, " ms")
            for route, seconds in worst.items()
        ),
    ]


def _warm_cache(hits: int, plan: Plan) -> Goal:
    name = "Pulls through nginx from the disk cache"
    return Goal(name, hits, "at least", plan.least_ends)


def _answers(answers: Sequence[Answer]) -> str:
    head = ("", "Requests", "With content", "Refused", "Errors", "Without an answer")
    rows = []
    for route in Route:
        own = [answer for answer in answers if answer.route is route]
        kinds = Counter(map(_outcome, own))
        cells = [kinds[name] for name in ("content", "refused", "error", "none")]
        rows.append((route, *(f"{number:,}" for number in (len(own), *cells))))
    return table(head, rows)


def _outcome(answer: Answer) -> str:
    if answer.carries:
        return "content"
    if not answer.status:
        return "none"
    return "error" if answer.status >= 500 else "refused"


def _latencies(by_route: Figures) -> str:
    head = ("", "Rights ended", "p50", "p99", "Worst", "Content of earlier requests")
    rows = (
        (
            route,
            f"{len(figure.latencies):,}",
            *(_percentile(figure.latencies, part) for part in (50, 99, 100)),
            _ms(figure.late),
        )
        for route, figure in by_route.items()
    )
    return table(head, rows)


def _downloads(answers: Sequence[Answer], by_route: Figures) -> str:
    head = ("", "Downloads", "Rights ended during one", "Longest after that")
    rows = []
    for route, figure in by_route.items():
        begun = [
            answer
            for answer in answers
            if answer.kind is Kind.DOWNLOAD and answer.route is route
        ]
        number = sum(answer.carries for answer in begun)
        longest = f"{max(figure.ran_on, default=0.0):.1f} s"
        rows.append((route, f"{number:,}", f"{len(figure.ran_on):,}", longest))
    return table(head, rows)


def _events(history: History, seed: int) -> str:
    changes = [change for change in history.changes if not change.read_back]
    lost = sum(change.answered is None for change in changes)
    kinds = Counter((item.victim, item.what) for item in history.troubles)
    rows = (
        (name, *(str(kinds[name, what]) for what in ("killed", "frozen")))
        for name in Process
    )
    return (
        f"{len(changes):,} changes; the outcome of {lost} was unknown until it was "
        f"read back. Seed {seed}.\n\n{table(('', 'Killed', 'Frozen'), rows)}"
    )


def _percentile(latencies: Sequence[float], percent: float) -> str:
    return _ms(percentile(latencies, percent)) if latencies else "none"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
