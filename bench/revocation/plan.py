"""How long a run takes, and how much happens in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.revocation.checker import Promises


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run.

    ``change_pause`` and ``trouble_pause`` are the shortest and longest pauses.
    ``least_ends`` is how many ends of rights each route must have met. One client for
    each route downloads at ``download_pace`` bytes a second.
    """

    seconds: float
    licenses: int
    clients: int
    requests_per_second: float
    change_pause: tuple[float, float]
    trouble_pause: tuple[float, float]
    least_requests: int
    least_ends: int
    # A faster reader sees less of what kernels hold when the edge breaks off.
    download_bytes: int = 192 * 2**20
    download_pace: int = 8 * 2**20
    promises: Promises = field(default_factory=Promises)


FULL = Plan(
    seconds=600,
    licenses=36,
    clients=128,
    requests_per_second=360,
    change_pause=(0.2, 1.0),
    trouble_pause=(2.0, 8.0),
    least_requests=100_000,
    least_ends=200,
)
QUICK = Plan(
    seconds=15,
    licenses=16,
    clients=32,
    requests_per_second=50,
    change_pause=(0.2, 0.6),
    trouble_pause=(0.5, 2.0),
    least_requests=300,
    least_ends=3,
)
