"""All figures of a run, as its two reports use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.harness.load import Load
from bench.harness.rounds import percentile
from bench.pulls.cold import FirstPull
from bench.pulls.plan import Plan
from bench.pulls.rounds import SmallKey
from bench.revisions.calls import Decisions
from bench.revisions.rounds import Comparison


@dataclass(frozen=True, slots=True)
class PullResults:
    """Medians over all rounds.

    ``large`` is in MB/s, by kind and target. ``peak_bytes`` is the resident memory of
    edges, by target.
    """

    plan: Plan
    comparison: Comparison
    small: Mapping[SmallKey, Load]
    large: Mapping[tuple[str, str], float]
    first: Mapping[str, Sequence[FirstPull]]
    peak_bytes: Mapping[str, int]

    def load(self, kind: str, target: str) -> Load:
        """Return the load with as many clients as the goals are about."""
        return self.small[SmallKey(kind, target, self.plan.most_clients)]

    def figures(self) -> dict[str, Any]:
        """Return the figures for machines; names have their units."""
        return {
            "plan": asdict(self.plan),
            "decisions": list(self._decisions()),
            "tokens": [
                {"revision": age, "kind": kind, **asdict(load)}
                for (age, kind), load in self.comparison.tokens.items()
            ],
            "small": [
                {**asdict(key), **asdict(load)} for key, load in self.small.items()
            ],
            "large": [
                {"kind": kind, "target": target, "megabytes_per_second": speed}
                for (kind, target), speed in self.large.items()
            ],
            "first_pulls": {
                name: [asdict(pull) for pull in pulls]
                for name, pulls in self.first.items()
            },
            "peak_bytes": dict(self.peak_bytes),
        }

    def _decisions(self) -> Iterator[dict[str, Any]]:
        for (age, licenses), decisions in self.comparison.decisions.items():
            yield {"revision": age, "licenses": licenses, **summary(decisions)}


def summary(decisions: Decisions) -> dict[str, float]:
    """Return the figures of decisions in milliseconds."""
    return {
        "cpu_ms": decisions.cpu_ms,
        "p50_ms": median(decisions.times_ms),
        "p99_ms": percentile(decisions.times_ms, 99),
    }
