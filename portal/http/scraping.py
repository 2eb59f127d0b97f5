"""What the metrics of portal and edge share: who may read them, and their form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector


def scraping_status(authorization: str) -> int:
    """Return the status for an ``Authorization`` header.

    404 if no token is configured, 401 for a wrong one, 200 for the configured one.
    """
    if not settings.BERTH_METRICS_TOKEN:
        return 404
    scheme, _, token = authorization.partition(" ")
    is_right = scheme.lower() == "bearer" and constant_time_compare(
        token.strip(), settings.BERTH_METRICS_TOKEN
    )
    return 200 if is_right else 401


def exposition(*sources: Callable[[], Iterable[Metric]]) -> bytes:
    """Return the metrics of all ``sources`` in Prometheus's text format."""
    collectors = CollectorRegistry()
    collectors.register(_Sources(sources))
    return generate_latest(collectors)


class _Sources(Collector):
    def __init__(self, sources: Iterable[Callable[[], Iterable[Metric]]]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from source()
