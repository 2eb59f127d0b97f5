"""What the edge is measured against."""

from __future__ import annotations

from dataclasses import dataclass

from bench.pulls.results import Results
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
class Goal:
    """A figure and the bound it has to keep."""

    name: str
    bound: str
    measured: str
    met: bool


def goals(results: Results) -> list[Goal]:
    """Return every goal of the plain edge, met or missed."""
    return [
        *(_small_goal(results, kind, EDGE) for kind in KINDS),
        # What the edge keeps cannot hide what it costs to pass things on.
        *(_small_goal(results, kind, EDGE_PASSING_ON) for kind in (BLOB, BY_DIGEST)),
        _large_goal(results),
        _decision_goal(results),
    ]


def _small_goal(results: Results, kind: str, target: str) -> Goal:
    edge = results.pulls.small[kind, target].requests_per_second
    mirror = results.pulls.small[kind, MIRROR].requests_per_second
    return Goal(
        name=f"{kind}: requests/s against {MIRROR}. {target}",
        bound="at least 1.5 times",
        measured=f"{edge / mirror:.2f} times",
        met=edge >= 1.5 * mirror,
    )


def _large_goal(results: Results) -> Goal:
    share = results.pulls.large.speeds[EDGE] / results.pulls.large.speeds[DIRECT]
    return Goal(
        name="Large blob: MB/s against the upstream directly",
        bound="at least 70 %",
        measured=f"{share:.0%}",
        met=share >= 0.7,
    )


def _decision_goal(results: Results) -> Goal:
    few, many = results.few, results.many
    ratio = many.p99_ms / few.p99_ms
    return Goal(
        name=f"Decision: p99 at {many.licenses:,} against {few.licenses:,} licenses",
        bound="at most 1.3 times",
        measured=f"{ratio:.2f} times",
        met=ratio <= 1.3,
    )
