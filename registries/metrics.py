"""Metrics of checks and of the cache, counted in the database at each scrape.

So the numbers are right for any number of processes. They cover all teams together:
no label names a team or anything that belongs to one. Those of the cache have the ID
of a registry, which means nothing without the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, Min, Sum
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from registries.models import CacheUse, CredentialCheck, ExternalRegistry, PullLog
from registries.models.health import Outcome

# A gauge over this period, not a counter: workers that increment a counter in the
# transaction of each check would wait for each other, and a counter computed from the
# rows would fall when old ones are deleted.
RECENT = timedelta(minutes=15)
# By column of CacheUse.
CACHE_COUNTERS = {
    "hits": ("berth_cache_hits", "Answers from the disk cache."),
    "misses": ("berth_cache_misses", "Answers that were fetched from the registry."),
    "bytes": ("berth_cache_bytes", "Bytes sent from the disk cache."),
    "evictions": ("berth_cache_evictions", "Objects removed from the disk cache."),
    "stale_pulls": (
        "berth_cache_stale_pulls",
        "Pulls answered from the cache while the registry was unavailable.",
    ),
}


def collect() -> Iterator[Metric]:
    yield _registries()
    yield _recent_checks()
    yield _oldest_unchecked()
    yield from _cache_use()
    yield from _pull_logs()


def _registries() -> Metric:
    family = GaugeMetricFamily(
        "berth_registries",
        "External registries by confirmed health.",
        labels=["health"],
    )
    numbers = dict(
        ExternalRegistry.objects.order_by()
        .values_list("health")
        .annotate(number=Count("pk"))
    )
    for health in ["", *Outcome.values]:
        family.add_metric([health or "unknown"], numbers.get(health, 0))
    return family


def _recent_checks() -> Metric:
    family = GaugeMetricFamily(
        "berth_recent_credential_checks",
        "Credential checks in the last 15 minutes.",
        labels=["outcome"],
    )
    numbers = dict(
        CredentialCheck.objects.filter(created_at__gt=timezone.now() - RECENT)
        .order_by()
        .values_list("outcome")
        .annotate(number=Count("*"))
    )
    for outcome in Outcome.values:
        family.add_metric([outcome], numbers.get(outcome, 0))
    return family


def _oldest_unchecked() -> Metric:
    oldest = ExternalRegistry.objects.aggregate(at=Min("next_check_at"))["at"]
    late = (timezone.now() - oldest).total_seconds() if oldest else 0
    return GaugeMetricFamily(
        "berth_oldest_unchecked_registry_seconds",
        "How long the most overdue registry has waited for its check.",
        value=max(late, 0),
    )


def _cache_use() -> Iterator[Metric]:
    sums = {column: Sum(column) for column in CACHE_COUNTERS}
    rows: Any = (
        CacheUse.objects.order_by()
        .values("registry_id")
        .annotate(**{f"{column}_sum": total for column, total in sums.items()})
    )
    for column, (name, description) in CACHE_COUNTERS.items():
        family = CounterMetricFamily(name, description, labels=["registry"])
        for row in rows:
            family.add_metric([str(row["registry_id"])], row[f"{column}_sum"])
        yield family


def _pull_logs() -> Iterator[Metric]:
    logs = PullLog.objects.aggregate(
        oldest=Min("read_at"), malformed=Sum("malformed_lines")
    )
    ago = (timezone.now() - logs["oldest"]).total_seconds() if logs["oldest"] else 0
    yield GaugeMetricFamily(
        "berth_pull_log_unread_seconds",
        "How long ago a cache manager last read its log; the longest of all logs.",
        value=max(ago, 0),
    )
    yield CounterMetricFamily(
        "berth_pull_log_malformed_lines",
        "Lines of nginx's logs that could not be read.",
        value=logs["malformed"] or 0,
    )
