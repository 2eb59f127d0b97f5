"""Bounded resources of this process, shared fairly among those who use them.

Threads, processor time and memory are limited, and one team or stranger must not take
all of them. So each use takes a share first, and a request beyond a limit is refused at
once: waiting would only move the queue to the thread that waits.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

_shares: WeakSet[FairShare] = WeakSet()


class ShareExceeded(Exception):  # noqa: N818 -- exceptions here state the fact
    """Nothing of a resource is left: for this holder if ``is_own``, else for all.

    Retry after ``retry_after`` seconds. Answer 429 if ``is_own``, else 503.
    """

    def __init__(self, resource: str, *, is_own: bool, retry_after: int) -> None:
        super().__init__(resource)
        self.is_own = is_own
        self.retry_after = retry_after


class FairShare:
    """Limits a resource for all holders together, and for each one alone.

    A holder is a team, a subject or an address. Safe for threads.
    """

    def __init__(
        self, resource: str, *, total: int, each: int, retry_after: int = 5
    ) -> None:
        """Limit ``resource``, its name in metrics, to ``total`` and ``each`` units."""
        self.resource = resource
        self.total = total
        self.each = each
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()
        self.in_use = 0
        self.refused = {"own": 0, "all": 0}
        _shares.add(self)

    @contextmanager
    def use(self, holder: Hashable, units: int = 1) -> Iterator[None]:
        """Hold ``units`` during a block; raises ShareExceeded if they are not free."""
        self.take(holder, units)
        try:
            yield
        finally:
            self.give_back(holder, units)

    def take(self, holder: Hashable, units: int = 1) -> None:
        """Take ``units`` until they are given back; raises ShareExceeded."""
        with self._lock:
            is_own = self._held[holder] + units > self.each
            if not is_own and self.in_use + units <= self.total:
                self._held[holder] += units
                self.in_use += units
                return
            self._forget_idle(holder)
        raise self.refusal(is_own=is_own)

    def refusal(self, *, is_own: bool) -> ShareExceeded:
        """Count a refusal, and return it to be raised."""
        with self._lock:
            self.refused["own" if is_own else "all"] += 1
        return ShareExceeded(
            self.resource, is_own=is_own, retry_after=self._retry_after
        )

    def give_back(self, holder: Hashable, units: int = 1) -> None:
        with self._lock:
            self._held[holder] -= units
            self.in_use -= units
            self._forget_idle(holder)

    def _forget_idle(self, holder: Hashable) -> None:
        if not self._held[holder]:
            del self._held[holder]


def collect() -> Iterator[Metric]:
    """Return the metrics of this process's shares."""
    in_use = GaugeMetricFamily(
        "berth_share_in_use", "Units in use in this process.", labels=["resource"]
    )
    limit = GaugeMetricFamily(
        "berth_share_limit", "Units that this process has.", labels=["resource"]
    )
    refused = CounterMetricFamily(
        "berth_share_refused",
        "Requests refused for want of units; limit: own (429) or all (503).",
        labels=["resource", "limit"],
    )
    for share in sorted(_shares, key=lambda share: share.resource):
        in_use.add_metric([share.resource], share.in_use)
        limit.add_metric([share.resource], share.total)
        for kind, number in share.refused.items():
            refused.add_metric([share.resource, kind], number)
    yield from (in_use, limit, refused)
