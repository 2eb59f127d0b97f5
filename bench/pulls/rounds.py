"""Requests and megabytes per second, in rounds that take the targets in turn.

Whatever else the machine does meanwhile then slows all of them, not just one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import urllib3

from bench.harness.client import fetch
from bench.harness.errors import BenchError
from bench.harness.load import Load, download, load
from bench.harness.process_facts import peak_memory_bytes
from bench.harness.servers import Edge
from bench.pulls.images import Images
from bench.pulls.plan import Plan
from bench.pulls.targets import KINDS, Target

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LargeBlob:
    """Megabytes per second by target, and what memory the edge had in the end."""

    speeds: dict[str, float]
    edge_peak_bytes: int


def check_targets(targets: Sequence[Target], images: Images) -> None:
    """Pull everything once from everywhere: it must be the same, and warms caches.

    Raises:
        BenchError: a target gives something else than the first one.
    """
    with urllib3.PoolManager() as pool:
        for kind in KINDS:
            bodies = {fetch(pool, each.request(kind, images)) for each in targets}
            if len(bodies) != 1:
                raise BenchError(f"The targets do not agree on this: {kind}")


def measure_small(
    targets: Sequence[Target], images: Images, plan: Plan, say: Say
) -> dict[tuple[str, str], Load]:
    """Return the medians over all rounds by kind and target."""
    pairs = [(kind, target) for kind in KINDS for target in targets]
    rounds: dict[tuple[str, str], list[Load]] = {}
    for number in range(plan.rounds):
        say(f"Small answers, round {number + 1} of {plan.rounds} …")
        for kind, target in pairs:
            request = target.request(kind, images)
            measured = load(request, plan.load_seconds, target.pid)
            rounds.setdefault((kind, target.name), []).append(measured)
    return {key: median_load(loads) for key, loads in rounds.items()}


def median_load(loads: Sequence[Load]) -> Load:
    return Load(
        requests_per_second=median(each.requests_per_second for each in loads),
        p50_ms=median(each.p50_ms for each in loads),
        p99_ms=median(each.p99_ms for each in loads),
        cpu_ms=median(each.cpu_ms for each in loads),
    )


def measure_large(
    targets: Sequence[Target], images: Images, plan: Plan, edge: Edge, say: Say
) -> LargeBlob:
    """Download the large blob in turn; a first round only warms caches."""
    rounds: dict[str, list[float]] = {target.name: [] for target in targets}
    for number in range(plan.rounds + 1):
        say(f"The large blob, round {number} of {plan.rounds} …")
        for target in targets:
            speed = download(target.large_blob(images), plan.large_blob_bytes)
            if number:
                rounds[target.name].append(speed)
    speeds = {name: median(each) for name, each in rounds.items()}
    return LargeBlob(speeds, peak_memory_bytes(edge.process.pid))
