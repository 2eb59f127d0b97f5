"""When a license may have been active, as far as its changes can be known."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.revocation.history import Change, Right

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Spans:
    """Separate stretches of time in their order, each with both its ends."""

    spans: Sequence[Span]

    def touch(self, start: float, end: float) -> bool:
        """Return whether an instant from ``start`` to ``end`` is in a span."""
        number = bisect_left(self.spans, start, key=lambda span: span[1])
        return number < len(self.spans) and self.spans[number][0] <= end

    def gaps(self) -> list[Span]:
        """Return the stretches between the spans, the last without an end."""
        starts = [start for start, _ in self.spans[1:]] + [math.inf]
        ends = [end for _, end in self.spans]
        return [gap for gap in zip(ends, starts, strict=True) if gap[0] < math.inf]


def active_spans(changes: Iterable[Change]) -> dict[int, Spans]:
    """Return when each changed license may have been active: when all rights were."""
    by_license: dict[int, dict[Right, list[Change]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for change in changes:
        by_license[change.license][change.right].append(change)
    return {
        license: Spans(_in_all([_right_spans(part) for part in rights.values()]))
        for license, rights in by_license.items()
    }


def license_spans(spans: Mapping[int, Spans], license: int) -> Spans:
    """Return a license's spans; without any change it was active all the time."""
    return spans.get(license, Spans([(-math.inf, math.inf)]))


def _right_spans(changes: Iterable[Change]) -> list[Span]:
    """Return when a right may have held.

    It may hold again from when a change began to be asked for, and certainly ends only
    when the change that ends it was answered. One whose answer was lost may have been
    made, or not, until the state is read back.
    """
    spans = [(-math.inf, math.inf)]
    for change in sorted(changes, key=lambda change: change.asked):
        # An end in the future also moves one that has passed.
        if not change.ends or change.at > change.asked:
            start, end = spans[-1]
            if end < change.asked:
                spans.append((change.asked, math.inf))
            else:
                spans[-1] = (start, math.inf)
        if change.ends and change.answered is not None:
            start, end = spans[-1]
            spans[-1] = (start, min(end, max(change.answered, change.at)))
    return spans


def _in_all(lists: Sequence[Sequence[Span]]) -> list[Span]:
    common = lists[0]
    for spans in lists[1:]:
        pairs = [
            (max(first[0], second[0]), min(first[1], second[1]))
            for first in common
            for second in spans
        ]
        common = sorted(pair for pair in pairs if pair[0] <= pair[1])
    return list(common)
