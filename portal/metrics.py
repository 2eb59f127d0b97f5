"""Metrics for Prometheus, protected by ``BERTH_METRICS_TOKEN``."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.conf import settings
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

import alerts.metrics
import registries.metrics

logger = logging.getLogger(__name__)


class _DatabaseCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from registries.metrics.collect()
        yield from alerts.metrics.collect()


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return 404 if no token is configured, and 503 without the database."""
    if not settings.BERTH_METRICS_TOKEN:
        raise Http404
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(
        token.strip(), settings.BERTH_METRICS_TOKEN
    ):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    collectors = CollectorRegistry()
    collectors.register(_DatabaseCollector())
    try:
        text = generate_latest(collectors)
    except Error:
        logger.exception("The database is unavailable")
        return HttpResponse(status=503)
    return HttpResponse(
        text,
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )
