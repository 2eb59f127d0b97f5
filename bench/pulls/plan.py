"""How long and how often to measure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.revisions.rounds import ComparisonPlan


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run. The full one takes about a quarter of an hour."""

    rounds: int
    load_seconds: int
    clients: tuple[int, ...]
    crowd: int
    large_blob_bytes: int
    range_bytes: int
    fresh_edges: int
    new_pairs: int
    few_licenses: int
    many_licenses: int
    comparison: ComparisonPlan

    @property
    def most_clients(self) -> int:
        """Return the number of connections that the goals are about."""
        return max(self.clients)


FULL = Plan(
    # An even number: half of them begin at the other end.
    rounds=4,
    load_seconds=2,
    clients=(16, 64),
    crowd=1_000,
    large_blob_bytes=256 * 2**20,
    range_bytes=64 * 2**20,
    fresh_edges=5,
    new_pairs=30,
    few_licenses=1_000,
    many_licenses=1_000_000,
    comparison=ComparisonPlan(rounds=4, decisions_per_round=3_000, token_seconds=3),
)
QUICK = Plan(
    rounds=2,
    load_seconds=1,
    clients=(64,),
    crowd=200,
    large_blob_bytes=64 * 2**20,
    range_bytes=16 * 2**20,
    fresh_edges=2,
    new_pairs=10,
    few_licenses=1_000,
    many_licenses=20_000,
    comparison=ComparisonPlan(rounds=2, decisions_per_round=300, token_seconds=1),
)
