"""When the key that signs registry tokens ends, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from registries.tokens.signing_keys import SigningKey, SigningKeyError


def collect() -> Iterator[Metric]:
    """Yield the end of its certificate; nothing for a process without the key."""
    if not settings.BERTH_TOKEN_SIGNING_KEY:
        return
    try:
        leaf = SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY).certificate
    except SigningKeyError:
        return  # the edge does not start with it, and doctor says why
    yield GaugeMetricFamily(
        "berth_signing_key_end_seconds",
        "When the certificate of BERTH_TOKEN_SIGNING_KEY ends, in Unix time.",
        value=leaf.not_valid_after_utc.timestamp(),
    )
