"""How long choosing what is checked next takes, with very many registries."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from django.utils import timezone

from bench.harness.errors import BenchError
from bench.harness.stats import percentile
from bench.pulls.rounds import Say
from bench.seed.licenses import analyze
from bench.seed.registries import SHARED_HOSTS, move_to_one_host, plan_checks
from registries.checks.queue import claim_due
from registries.models import ExternalRegistry

WARM_UP = 10
# The claims of as many workers are under way whenever one more is made.
OTHER_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """What is due when claims are made."""

    name: str
    due: float
    one_host: bool = False


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """Milliseconds of all claims of one case, and how many registries each gave."""

    name: str
    calls: int
    claimed: float
    p50_ms: float
    p95_ms: float
    longest_ms: float


CASES = (
    Case("All due", due=1),
    Case("1 in 100 due", due=0.01),
    Case("None due", due=0),
    # The last one: it moves all of them.
    Case("All due, all on one host", due=1, one_host=True),
)


def measure_claims(calls: int, say: Say) -> Iterator[ClaimTimes]:
    """Make claims in each of the cases.

    Raises:
        BenchError: nothing was claimed though much was due, or the other way round.
    """
    for case in CASES:
        say(f"Claims: {case.name} …")
        _prepare(case)
        yield _measure(case, calls)


def _prepare(case: Case) -> None:
    if case.one_host:
        move_to_one_host(SHARED_HOSTS[0][1])
    plan_checks(due=case.due)
    analyze()


def _measure(case: Case, calls: int) -> ClaimTimes:
    under_way: deque[list[uuid.UUID]] = deque()
    milliseconds: list[float] = []
    sizes: list[int] = []
    for _ in range(WARM_UP + calls):
        started = time.perf_counter()
        claimed = claim_due()
        milliseconds.append((time.perf_counter() - started) * 1000)
        sizes.append(len(claimed))
        under_way.append([version.registry_id for version in claimed])
        if len(under_way) > OTHER_WORKERS:
            _give_back(under_way.popleft())
    if bool(sum(sizes)) != bool(case.due):
        raise BenchError(f"{case.name}: {sum(sizes)} registries were claimed.")
    return _times(case, milliseconds[WARM_UP:], sizes[WARM_UP:])


def _give_back(ids: Sequence[uuid.UUID]) -> None:
    # Rows are rewritten as by checks, and as many are due as before.
    ExternalRegistry.objects.filter(pk__in=ids).update(
        claimed_until=None, next_check_at=timezone.now()
    )


def _times(case: Case, milliseconds: list[float], sizes: list[int]) -> ClaimTimes:
    return ClaimTimes(
        name=case.name,
        calls=len(milliseconds),
        claimed=median(sizes),
        p50_ms=percentile(milliseconds, 50),
        p95_ms=percentile(milliseconds, 95),
        longest_ms=max(milliseconds),
    )
