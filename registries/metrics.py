"""What operators watch of checks: counted in the database when it is asked for.

So the numbers are true whatever the number of processes. Of all teams together: no
label names a team or what is a team's.
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

# A gauge of so long and no counter: a counter that all workers add to in the
# transaction of each check would have them wait for each other, and one that is
# counted from the rows would fall when old ones are deleted.
RECENT = timedelta(minutes=15)


def collect() -> Iterator[Metric]:
    yield _registries()
    yield _recent_checks()
    yield _oldest_unchecked()


def _registries() -> Metric:
    family = GaugeMetricFamily(
        "berth_registries",
        "External registries by what their checks found.",
        labels=["health"],
    )
    found = dict(
        ExternalRegistry.objects.order_by()
        .values_list("health")
        .annotate(number=Count("pk"))
    )
    for health in ["", *Outcome.values]:
        family.add_metric([health or "unknown"], found.get(health, 0))
    return family


def _recent_checks() -> Metric:
    family = GaugeMetricFamily(
        "berth_recent_credential_checks",
        "Checks of credentials in the last 15 minutes.",
        labels=["outcome"],
    )
    found = dict(
        CredentialCheck.objects.filter(created_at__gt=timezone.now() - RECENT)
        .order_by()
        .values_list("outcome")
        .annotate(number=Count("*"))
    )
    for outcome in Outcome.values:
        family.add_metric([outcome], found.get(outcome, 0))
    return family


def _oldest_unchecked() -> Metric:
    oldest = ExternalRegistry.objects.aggregate(at=Min("next_check_at"))["at"]
    late = (timezone.now() - oldest).total_seconds() if oldest else 0
    return GaugeMetricFamily(
        "berth_oldest_unchecked_registry_seconds",
        "How long the registry that is most overdue for its check has been so.",
        value=max(late, 0),
    )
