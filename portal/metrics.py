"""Numbers for Prometheus, for who has the token of ``BERTH_METRICS_TOKEN``."""

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


class _FromTheDatabase(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from registries.metrics.collect()
        yield from alerts.metrics.collect()


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer 404 without a token in the settings, and 503 without the database."""
    if not settings.BERTH_METRICS_TOKEN:
        raise Http404
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(
        token.strip(), settings.BERTH_METRICS_TOKEN
    ):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    collectors = CollectorRegistry()
    collectors.register(_FromTheDatabase())
    try:
        text = generate_latest(collectors)
    except Error:
        logger.exception("The database does not answer")
        return HttpResponse(status=503)
    return HttpResponse(
        text,
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )
