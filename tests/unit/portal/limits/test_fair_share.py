from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from portal.limits.fair_share import FairShare, ShareExceeded, collect


class _Shares(Collector):
    def collect(self) -> Iterator[Metric]:
        return collect()


def sample(name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(_Shares())
    return registry.get_sample_value(name, labels)


def test_one_holder_cannot_take_everything() -> None:
    share = FairShare("slots", total=3, each=2, retry_after=7)
    share.take("acme")
    share.take("acme")

    with pytest.raises(ShareExceeded) as refused:
        share.take("acme")
    share.take("rival")

    assert refused.value.is_own
    assert refused.value.retry_after == 7


def test_all_holders_together_have_a_limit() -> None:
    share = FairShare("slots", total=2, each=2)
    share.take("acme")
    share.take("rival")

    with pytest.raises(ShareExceeded) as refused:
        share.take("third")

    assert not refused.value.is_own


def test_units_are_given_back_after_an_error_too() -> None:
    share = FairShare("bytes", total=10, each=10)

    with pytest.raises(RuntimeError), share.use("acme", 10):
        raise RuntimeError

    with share.use("rival", 10):
        assert share.in_use == 10
    assert share.in_use == 0


def test_a_refused_request_takes_nothing() -> None:
    share = FairShare("bytes", total=10, each=10)

    with pytest.raises(ShareExceeded):
        share.take("acme", 11)

    assert share.in_use == 0
    share.take("acme", 10)


def test_holders_are_forgotten_when_they_hold_nothing() -> None:
    share = FairShare("slots", total=1, each=1)
    share.take("holder")
    for number in range(100):
        with pytest.raises(ShareExceeded):
            share.take(f"refused-{number}")
    share.give_back("holder")

    assert not share._held


def test_threads_do_not_lose_units() -> None:
    share = FairShare("slots", total=4, each=4)

    def use_often(_: int) -> None:
        for _ in range(2_000):
            with share.use("acme"):
                pass

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use_often, range(4)))

    assert share.in_use == 0


def test_metrics_say_what_is_in_use_and_what_was_refused() -> None:
    share = FairShare("measured", total=5, each=2)
    share.take("acme", 2)
    for holder, units in (("acme", 1), ("rival", 1), ("third", 2), ("fourth", 1)):
        try:
            share.take(holder, units)
        except ShareExceeded:
            continue

    assert sample("berth_share_in_use", resource="measured") == 5
    assert sample("berth_share_limit", resource="measured") == 5
    assert sample("berth_share_refused_total", resource="measured", limit="own") == 1
    assert sample("berth_share_refused_total", resource="measured", limit="all") == 1
