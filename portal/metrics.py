"""Metrics for Prometheus, protected by ``BERTH_METRICS_TOKEN``."""

from __future__ import annotations

import logging

from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

import alerts.metrics
import registries.metrics
import registries.tokens.metrics
from portal.http.scraping import exposition, scraping_status
from portal.limits import fair_share

logger = logging.getLogger(__name__)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return 404 if no token is configured, and 503 without the database."""
    status = scraping_status(request.headers.get("Authorization", ""))
    if status == 404:
        raise Http404
    if status == 401:
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        text = exposition(
            registries.metrics.collect,
            registries.tokens.metrics.collect,
            alerts.metrics.collect,
            fair_share.collect,
        )
    except Error:
        logger.exception("The database is unavailable")
        return HttpResponse(status=503)
    return HttpResponse(
        text,
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )
