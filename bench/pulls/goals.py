"""The goals of pulls, tokens and decisions: each a ratio within one run."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from bench.harness.report import Goal
from bench.harness.rounds import percentile
from bench.pulls.results import PullResults
from bench.pulls.rounds import COLD, HOT
from bench.pulls.targets import (
    BARE,
    BEFORE,
    BLOB,
    BY_DIGEST,
    BY_TAG,
    CROWD,
    DIRECT,
    EDGE_DISK,
    EDGE_PASSING_ON,
    KINDS,
    MIRROR,
    NGINX,
)
from bench.revisions.pair import Age
from bench.tokens.questions import ANONYMOUS, PROXIED_PULL

_A_SIXTH = Fraction(1, 6)
_TIMES = " times"


def goals(results: PullResults) -> list[Goal]:
    return [
        *_decision_goals(results),
        *_token_goals(results),
        *_small_goals(results),
        *_large_goals(results),
        *_passing_on_goals(results),
    ]


def _decision_goals(results: PullResults) -> Iterator[Goal]:
    few, many = results.plan.few_licenses, results.plan.many_licenses
    decisions = results.comparison.decisions
    now, before = decisions[Age.NOW, many], decisions[Age.BEFORE, many]
    name = f"Decision at {many:,} licenses: processor time against the commit before"
    yield Goal(name, now.cpu_ms / before.cpu_ms, "at most", _A_SIXTH, _TIMES)
    p99 = percentile(now.times_ms, 99) / percentile(
        decisions[Age.NOW, few].times_ms, 99
    )
    name = f"Decision: p99 at {many:,} against {few:,} licenses"
    yield Goal(name, p99, "at most", 1.2, _TIMES)


def _token_goals(results: PullResults) -> Iterator[Goal]:
    tokens = results.comparison.tokens
    now, anonymous = (tokens[Age.NOW, kind] for kind in (PROXIED_PULL, ANONYMOUS))
    ratio = now.requests_per_second / anonymous.requests_per_second
    name = "Tokens/s for a license through the proxy against anonymous"
    yield Goal(name, ratio, "at least", 0.5, _TIMES)
    ratio = now.cpu_ms / tokens[Age.BEFORE, PROXIED_PULL].cpu_ms
    name = "Token for a license: processor time against the commit before"
    yield Goal(name, ratio, "at most", _A_SIXTH, _TIMES)


def _small_goals(results: PullResults) -> Iterator[Goal]:
    for kind in (BLOB, BY_DIGEST):
        yield _speed(results, kind, NGINX, BARE, 0.6)
        yield _speed(results, kind, NGINX, MIRROR, 50)
        yield _speed(results, kind, CROWD, NGINX, 0.4)
    yield _speed(results, BY_TAG, NGINX, MIRROR, 4)


def _speed(
    results: PullResults, kind: str, target: str, other: str, bound: float
) -> Goal:
    fast, slow = (
        results.load(kind, name).requests_per_second for name in (target, other)
    )
    name = f"{kind}: {target}, requests/s against {other}"
    return Goal(name, fast / slow, "at least", bound, _TIMES)


def _large_goals(results: PullResults) -> Iterator[Goal]:
    for kind, other, bound in ((HOT, BARE, 0.9), (COLD, DIRECT, 0.3)):
        # The others have no cold state: their figure is the hot one.
        ratio = results.large[kind, NGINX] / results.large[HOT, other]
        name = f"Large blob, {kind.lower()}: {NGINX}, MB/s against {other}"
        yield Goal(name, ratio, "at least", bound, _TIMES)
    peak = results.peak_bytes[EDGE_DISK] / 1e6
    yield Goal("Peak memory of the edge behind nginx", peak, "at most", 150, " MB")


def _passing_on_goals(results: PullResults) -> Iterator[Goal]:
    for kind in KINDS:
        now, before = (
            results.load(kind, name).cpu_ms for name in (EDGE_PASSING_ON, BEFORE)
        )
        name = f"{kind}: {EDGE_PASSING_ON}, processor time against the commit before"
        yield Goal(name, now / before, "at most", 0.7, _TIMES)
