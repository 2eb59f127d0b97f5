"""How soon rights ended: figures about a history, for the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bench.revocation.history import Answer, History, Kind, Route
from bench.revocation.spans import Span, active_spans


@dataclass(slots=True)
class RouteFigures:
    """What clients of one route saw; all times in seconds after a commit.

    ``latencies`` has, for each end of a license's rights that requests came after, when
    the last request was sent that still got content. ``late`` is the latest content of
    a request that had been sent before, and ``ran_on`` when downloads under way had
    their last byte.
    """

    latencies: list[float] = field(default_factory=list)
    late: float = 0.0
    ran_on: list[float] = field(default_factory=list)


def figures(history: History) -> dict[Route, RouteFigures]:
    """Return the figures of every route."""
    result = {route: RouteFigures() for route in Route}
    by_license = defaultdict(list)
    for answer in history.answers:
        by_license[answer.license].append(answer)
    for license, spans in active_spans(history.changes).items():
        for gap in spans.gaps():
            for route, figure in result.items():
                own = [item for item in by_license[license] if item.route is route]
                _add(figure, own, gap)
    return result


def _add(figure: RouteFigures, answers: Iterable[Answer], gap: Span) -> None:
    start, end = gap
    sent = [item for item in answers if start < item.sent < end]
    if sent:
        carrying = (item.sent - start for item in sent if _carries_before(item, end))
        figure.latencies.append(max(carrying, default=0.0))
    waited = [item for item in answers if item.sent <= start and item.carries]
    late = (item.first_byte - start for item in waited if item.first_byte < end)
    figure.late = max(figure.late, *late, 0.0)
    downloads = (item for item in waited if item.kind is Kind.DOWNLOAD)
    figure.ran_on += _run_ons(downloads, gap)


def _carries_before(answer: Answer, end: float) -> bool:
    return answer.carries and answer.first_byte < end


def _run_ons(downloads: Iterable[Answer], gap: Span) -> Iterator[float]:
    start, end = gap
    for download in downloads:
        if download.marks and download.marks[0] <= start < download.marks[-1]:
            marks = [mark - start for mark in download.marks if start < mark < end]
            yield max(marks, default=0.0)
