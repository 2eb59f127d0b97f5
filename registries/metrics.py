"""Metrics of checks, counted in the database at each scrape.

So the numbers are right for any number of processes. They cover all teams together:
no label identifies a team or anything that belongs to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from registries.models import CredentialCheck, ExternalRegistry
from registries.models.health import Outcome

# A gauge over this period, not a counter: workers that increment a counter in the
# transaction of each check would wait for each other, and a counter computed from the
# rows would fall when old ones are deleted.
RECENT = timedelta(minutes=15)


def collect() -> Iterator[Metric]:
    yield _registries()
    yield _recent_checks()
    yield _oldest_unchecked()


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
