"""How long a run takes, and how much happens in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.revocation.checker import Promises


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run.

    ``change_pause`` and ``trouble_pause`` are the shortest and longest pauses.
    ``least_ends`` is how many ends of rights each route must have met. Long downloads
    are read at ``download_pace`` bytes a second.
    """

    seconds: float
    licenses: int
    clients: int
    requests_per_second: float
    change_pause: tuple[float, float]
    trouble_pause: tuple[float, float]
    least_requests: int
    least_ends: int
    download_bytes: int = 96 * 2**20
    download_pace: int = 4 * 2**20
    downloads_per_route: int = 2
    promises: Promises = field(default_factory=Promises)


FULL = Plan(
    seconds=600,
    licenses=36,
    clients=96,
    requests_per_second=260,
    change_pause=(0.2, 1.0),
    trouble_pause=(2.0, 8.0),
    least_requests=100_000,
    least_ends=200,
)
QUICK = Plan(
    seconds=25,
    licenses=16,
    clients=48,
    requests_per_second=100,
    change_pause=(0.2, 0.6),
    trouble_pause=(0.5, 2.0),
    least_requests=300,
    least_ends=3,
    downloads_per_route=1,
)
