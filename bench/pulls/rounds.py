"""Small responses and the large blob, measured in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import urllib3

from bench.harness.client import fetch
from bench.harness.errors import BenchError
from bench.harness.load import Load, Request, download, load
from bench.harness.rounds import measure_in_turn, medians
from bench.pulls.images import Images
from bench.pulls.plan import Plan
from bench.pulls.pullers import Puller, Tokens
from bench.pulls.targets import (
    BARE,
    BEFORE,
    DIRECT,
    EDGE_DISK,
    EDGE_PASSING_ON,
    KINDS,
    LARGE_BLOB,
    MIRROR,
    NGINX,
    PLAIN_CACHE,
    Target,
    signed,
)

HOT, COLD = "Hot", "Cold"
HOT_RANGE, COLD_RANGE = "A range, hot", "A range, cold"
LARGE_KINDS = (HOT, COLD, HOT_RANGE, COLD_RANGE)
_WITH_COLD_STATE = (NGINX, EDGE_DISK)
_HOT = {
    HOT: (DIRECT, MIRROR, BARE, PLAIN_CACHE, NGINX, EDGE_DISK, EDGE_PASSING_ON, BEFORE),
    # Distribution's cache ignores ranges.
    HOT_RANGE: (DIRECT, BARE, PLAIN_CACHE, NGINX, EDGE_DISK),
}


@dataclass(frozen=True, slots=True)
class SmallKey:
    """What was requested, from where, on how many connections."""

    kind: str
    target: str
    clients: int


def check_targets(targets: Sequence[Target], images: Images) -> None:
    """Pull all small content once with every login, which also fills caches.

    Raises:
        BenchError: the targets do not send the same bytes.
    """
    with urllib3.PoolManager() as pool:
        for kind in KINDS:
            requests = [
                request
                for target in targets
                for request in target.requests(kind, images)
            ]
            if len({fetch(pool, request) for request in requests}) != 1:
                raise BenchError(f"The targets send different content: {kind}")


def measure_small(
    targets: Sequence[Target], images: Images, plan: Plan
) -> dict[SmallKey, Load]:
    """Return the medians over all rounds."""

    def measure(target: Target, kind: str, clients: int) -> Load:
        requests = target.requests(kind, images)
        return load(requests, target.server, plan.load_seconds, clients)

    measurements = {
        SmallKey(kind, target.name, clients): partial(measure, target, kind, clients)
        for clients in plan.clients
        for kind in KINDS
        for target in targets
    }
    rounds = measure_in_turn("Small responses", plan.rounds, measurements)
    return {key: medians(loads) for key, loads in rounds.items()}


class LargeBlob:
    """Downloads of the large blob and of a range from its middle.

    A cold download is by a license of a team that has not pulled the blob before: what
    the edge keeps belongs to one team's registry.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        images: Images,
        plan: Plan,
        tokens: Tokens,
        newcomers: Iterator[Puller],
    ) -> None:
        self._targets = {target.name: target for target in targets}
        self._images = images
        self._plan = plan
        self._tokens = tokens
        self._newcomers = newcomers

    def measure(self) -> dict[tuple[str, str], float]:
        """Return megabytes per second by kind and target: medians over the rounds."""
        rounds = measure_in_turn(
            LARGE_BLOB, self._plan.rounds, dict(self._measurements()), warm_up=True
        )
        return {key: median(speeds) for key, speeds in rounds.items()}

    def _measurements(
        self,
    ) -> Iterator[tuple[tuple[str, str], Callable[[], float]]]:
        for kind, names in _HOT.items():
            for name in names:
                target = self._targets[name]
                yield (kind, name), partial(self._download, target, kind)
        for kind in (COLD, COLD_RANGE):
            for name in _WITH_COLD_STATE:
                yield (kind, name), partial(self._download_cold, name, kind)

    def _download_cold(self, name: str, kind: str) -> float:
        newcomer = next(self._newcomers)
        server = self._targets[name].server
        target = Target(name, server, signed(self._tokens, [newcomer]))
        return self._download(target, kind)

    def _download(self, target: Target, kind: str) -> float:
        [request] = target.requests(LARGE_BLOB, self._images)
        size = self._plan.large_blob_bytes
        if kind in (HOT_RANGE, COLD_RANGE):
            start, size = size // 2, self._plan.range_bytes
            part = {"Range": f"bytes={start}-{start + size - 1}"}
            request = Request(request.url, {**request.headers, **part})
        return download(request, size)
