"""How long and how often to measure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run. The full one takes under eight minutes on two cores."""

    rounds: int
    load_seconds: int
    large_blob_bytes: int
    fresh_edges: int
    new_pairs: int
    few_licenses: int
    many_licenses: int
    decisions_per_round: int


FULL = Plan(
    rounds=5,
    load_seconds=2,
    large_blob_bytes=256 * 2**20,
    fresh_edges=5,
    new_pairs=30,
    few_licenses=1_000,
    many_licenses=1_000_000,
    decisions_per_round=1_200,
)
QUICK = Plan(
    rounds=2,
    load_seconds=1,
    large_blob_bytes=64 * 2**20,
    fresh_edges=2,
    new_pairs=10,
    few_licenses=1_000,
    many_licenses=20_000,
    decisions_per_round=500,
)
