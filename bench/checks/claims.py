"""How long it takes to claim due registries among many."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.harness.errors import BenchError
from bench.harness.rounds import say, timed
from bench.seed.bulk import analyze
from bench.seed.registries import SHARED_HOSTS, make_due, plan_checks
from registries.checks.queue import claim_due
from registries.models import ExternalRegistry

WARM_UP = 10
# This many earlier claims are still in progress during each claim.
OTHER_WORKERS = 4


ONE_HOST = "All due, all on one host"
# The share of due registries in each case. The last case moves all registries.
CASES = {"All due": 1, "1 in 100 due": 0.01, "None due": 0, ONE_HOST: 1}


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """Milliseconds of all claims in one case, and how many registries each got."""

    name: str
    milliseconds: list[float] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)


def measure_claims(calls: int) -> Iterator[ClaimTimes]:
    """Make claims in each case.

    Raises:
        BenchError: nothing was claimed though registries were due, or the reverse.
    """
    for name, due in CASES.items():
        say(f"Claims: {name} …")
        if name == ONE_HOST:
            ExternalRegistry.objects.update(endpoint=SHARED_HOSTS[0][0])
        plan_checks(due=due)
        analyze()
        times = _measure(name, calls)
        if any(times.claimed) != bool(due):
            raise BenchError(f"{name}: {sum(times.claimed)} registries were claimed.")
        yield times


def _measure(name: str, calls: int) -> ClaimTimes:
    in_progress: deque[list[uuid.UUID]] = deque()
    times = ClaimTimes(name)
    for _ in range(WARM_UP + calls):
        versions, milliseconds = timed(claim_due)
        times.milliseconds.append(milliseconds)
        times.claimed.append(len(versions))
        in_progress.append([version.registry_id for version in versions])
        if len(in_progress) > OTHER_WORKERS:
            # This rewrites rows as checks do, and keeps as many due.
            make_due(pk__in=in_progress.popleft())
    del times.milliseconds[:WARM_UP], times.claimed[:WARM_UP]
    return times
