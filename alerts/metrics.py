"""Metrics of alerts, counted in the database at each scrape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from alerts.models import Alert, Delivery, DeliveryQuerySet, DeliveryState

# The same period as for checks, for the same reasons.
RECENT = timedelta(minutes=15)
_BY_KIND = {
    "mail": Count("pk", filter=Q(webhook__isnull=True)),
    "webhook": Count("pk", filter=Q(webhook__isnull=False)),
}


def collect() -> Iterator[Metric]:
    yield _recent_deliveries()
    yield _waiting_alerts()
    yield _waiting_deliveries()
    yield _oldest_waiting()


def _recent_deliveries() -> Metric:
    family = GaugeMetricFamily(
        "berth_recent_alert_deliveries",
        "Alerts delivered or given up in the last 15 minutes.",
        labels=["kind", "result"],
    )
    ended = Delivery.objects.filter(finished_at__gt=timezone.now() - RECENT)
    for result in (DeliveryState.DELIVERED, DeliveryState.FAILED):
        numbers = ended.filter(state=result).aggregate(**_BY_KIND)
        for kind, number in numbers.items():
            family.add_metric([kind, result.value], number)
    return family


def _waiting_alerts() -> Metric:
    return GaugeMetricFamily(
        "berth_alerts_waiting",
        "Alerts not yet processed by a worker.",
        value=Alert.objects.filter(dispatched_at__isnull=True).count(),
    )


def _waiting_deliveries() -> Metric:
    family = GaugeMetricFamily(
        "berth_alert_deliveries_waiting",
        "Pending deliveries, including those to be retried.",
        labels=["kind"],
    )
    waiting = Delivery.objects.filter(state=DeliveryState.PENDING)
    for kind, number in waiting.aggregate(**_BY_KIND).items():
        family.add_metric([kind], number)
    return family


def _oldest_waiting() -> Metric:
    alerts = Alert.objects.filter(dispatched_at__isnull=True)
    oldest = [
        alerts.aggregate(at=Min("created_at"))["at"],
        _due_of_idle_teams().aggregate(at=Min("due_at"))["at"],
    ]
    now = timezone.now()
    since = min((at for at in oldest if at is not None), default=now)
    return GaugeMetricFamily(
        "berth_oldest_alert_waiting_seconds",
        "How long the oldest alert or due delivery has been waiting.",
        value=max((now - since).total_seconds(), 0),
    )


def _due_of_idle_teams() -> DeliveryQuerySet:
    """Return due deliveries, unless others of their team are in progress.

    Behind a silent receiver of the team they wait for long, but not for a worker.
    """
    busy = Delivery.objects.in_progress().values("team_id")
    return Delivery.objects.due().exclude(team_id__in=busy)
