"""Small responses, the large blob and tokens, measured in rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import urllib3

from bench.harness.client import fetch, token_request
from bench.harness.errors import BenchError
from bench.harness.load import Load, download, load
from bench.harness.processes import peak_memory_bytes
from bench.harness.rounds import measure_in_turn, medians
from bench.harness.servers import Server
from bench.pulls.images import REPOSITORY, Images
from bench.pulls.plan import Plan
from bench.pulls.targets import KINDS, LARGE_BLOB, Target, proxied
from bench.pulls.vendor import OPEN
from portal.crypto.secrets import Secret


@dataclass(frozen=True, slots=True)
class LargeBlob:
    """Megabytes per second by target, and the edge's peak memory."""

    speeds: dict[str, float]
    edge_peak_bytes: int


def check_targets(targets: Sequence[Target], images: Images) -> None:
    """Pull all small content once from every target, which also warms caches.

    Raises:
        BenchError: the targets do not send the same bytes.
    """
    with urllib3.PoolManager() as pool:
        for kind in KINDS:
            bodies = {fetch(pool, target.request(kind, images)) for target in targets}
            if len(bodies) != 1:
                raise BenchError(f"The targets send different content: {kind}")


def measure_small(
    targets: Sequence[Target], images: Images, plan: Plan
) -> dict[tuple[str, str], Load]:
    """Return the medians over all rounds by kind and target."""

    def measure(target: Target, kind: str) -> Load:
        request = target.request(kind, images)
        return load(request, plan.load_seconds, target.server.pid)

    measurements = {
        (kind, target.name): partial(measure, target, kind)
        for kind in KINDS
        for target in targets
    }
    rounds = measure_in_turn("Small responses", plan.rounds, measurements)
    return {key: medians(loads) for key, loads in rounds.items()}


def measure_large(
    targets: Sequence[Target], images: Images, plan: Plan, edge: Server
) -> LargeBlob:
    """Download the large blob from each target in turn."""

    def measure(target: Target) -> float:
        return download(target.request(LARGE_BLOB, images), plan.large_blob_bytes)

    measurements = {target.name: partial(measure, target) for target in targets}
    rounds = measure_in_turn(LARGE_BLOB, plan.rounds, measurements, warm_up=True)
    speeds = {name: median(speeds) for name, speeds in rounds.items()}
    return LargeBlob(speeds, peak_memory_bytes(edge.pid))


def measure_tokens(edge: Server, license_id: Secret, plan: Plan) -> Load:
    """Repeat a token request with a license and one scope."""
    request = token_request(edge.host, license_id, proxied(OPEN, REPOSITORY))
    measure = partial(load, request, plan.load_seconds, edge.pid)
    rounds = measure_in_turn("Tokens", plan.rounds, {"edge": measure})
    return medians(rounds["edge"])
