"""The goals of pulls, tokens and decisions, from figures at and beyond the bounds."""

from __future__ import annotations

import json
from dataclasses import replace

from bench.harness.load import Load
from bench.pulls.goals import goals
from bench.pulls.plan import FULL
from bench.pulls.report import make_report
from bench.pulls.results import PullResults
from bench.pulls.rounds import COLD, COLD_RANGE, HOT, HOT_RANGE, SmallKey
from bench.pulls.targets import (
    BARE,
    BEFORE,
    CROWD,
    DIRECT,
    EDGE_DISK,
    EDGE_MEMORY,
    EDGE_PASSING_ON,
    KINDS,
    MIRROR,
    NGINX,
    PLAIN_CACHE,
)
from bench.revisions.calls import Decisions
from bench.revisions.pair import Age
from bench.revisions.rounds import TOKEN_KINDS, Comparison
from bench.tokens.questions import ANONYMOUS, PROXIED_PULL

PACE = {
    DIRECT: 700,
    MIRROR: 600,
    BARE: 50_000,
    PLAIN_CACHE: 45_000,
    NGINX: 30_000,
    CROWD: 12_000,
    EDGE_DISK: 9_000,
    EDGE_MEMORY: 9_000,
    EDGE_PASSING_ON: 500,
    BEFORE: 500,
}
COST = {EDGE_PASSING_ON: 0.35, BEFORE: 0.5}
MEGABYTES = {
    (HOT, BARE): 2_000.0,
    (HOT, NGINX): 1_800.0,
    (HOT, DIRECT): 2_000.0,
    (COLD, NGINX): 600.0,
    (HOT_RANGE, NGINX): 1_500.0,
    (COLD_RANGE, NGINX): 500.0,
}


def load(per_second: float, cpu_ms: float = 1.0) -> Load:
    return Load(per_second, p50_ms=1, p99_ms=2, cpu_ms=cpu_ms)


def decisions(cpu_ms: float, p99_ms: float) -> Decisions:
    return Decisions(cpu_ms, [0.1] * 98 + [p99_ms] * 2)


def results() -> PullResults:
    """Return figures that are exactly at their bounds, or on the right side."""
    few, many = FULL.few_licenses, FULL.many_licenses
    tokens = {(Age.BEFORE, kind): load(300, cpu_ms=3.0) for kind in TOKEN_KINDS}
    tokens[Age.NOW, ANONYMOUS] = load(2_000, cpu_ms=0.4)
    tokens[Age.NOW, PROXIED_PULL] = load(1_000, cpu_ms=0.5)
    return PullResults(
        plan=FULL,
        comparison=Comparison(
            {
                (Age.NOW, few): decisions(0.15, p99_ms=0.5),
                (Age.NOW, many): decisions(0.15, p99_ms=0.6),
                (Age.BEFORE, few): decisions(1.0, p99_ms=3.0),
                (Age.BEFORE, many): decisions(1.0, p99_ms=3.0),
            },
            tokens,
        ),
        small={
            SmallKey(kind, target, clients): load(pace, COST.get(target, 1.0))
            for kind in KINDS
            for target, pace in PACE.items()
            for clients in FULL.clients
        },
        large=MEGABYTES,
        first={},
        peak_bytes={EDGE_DISK: 150_000_000},
    )


def missed(figures: PullResults) -> list[str]:
    return [goal.name for goal in goals(figures) if not goal.met]


def test_figures_at_their_bounds_meet_all_goals() -> None:
    assert missed(results()) == []


def test_a_slower_front_misses_the_goals_about_its_pace() -> None:
    figures = results()
    slower = {
        key: load(29_000) if key.target == NGINX else value
        for key, value in figures.small.items()
    }

    assert missed(replace(figures, small=slower)) == [
        f"{kind}: Berth behind nginx, requests/s against {other}"
        for kind in ("1 KB blob", "Manifest by digest")
        for other in ("nginx, static files", "Distribution's pull-through cache")
    ]


def test_memory_is_a_goal() -> None:
    figures = replace(results(), peak_bytes={EDGE_DISK: 150_000_001})

    assert missed(figures) == ["Peak memory of the edge behind nginx"]


def test_the_report_is_readable_by_people_and_machines() -> None:
    report = make_report(results())

    text = report.render("pulls", {"CPU": "two cores"})
    figures = json.loads(json.dumps(report.as_json({"CPU": "two cores"})))

    assert "| at most 1/6 times | 0.150 times | met |" in text
    assert "30,000 · 2.0 ms" in text
    assert len(figures["goals"]) == len(goals(results()))
    assert {goal["met"] for goal in figures["goals"]} == {True}
    assert {
        "kind": "1 KB blob",
        "target": NGINX,
        "clients": 64,
        "requests_per_second": 30_000,
        "p50_ms": 1,
        "p99_ms": 2,
        "cpu_ms": 1.0,
        "behind_cpu_ms": 0.0,
    } in figures["figures"]["small"]
