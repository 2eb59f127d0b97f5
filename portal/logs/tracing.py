"""Traces of requests and tasks for OpenTelemetry, by its own instrumentation.

The packages of requirements-tracing.txt are optional, so they are imported here when
BERTH_TRACING is set, and nowhere else. Their variables, such as
OTEL_EXPORTER_OTLP_ENDPOINT, say where traces go.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.logs.formats import redacted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

T = TypeVar("T")
PROBES = "livez,readyz,metrics"
# Queries hold searches and links, and those of registries hold signatures.
_URLS = frozenset({"http.url", "http.target", "url.full"})
_DROPPED = frozenset({"url.query"})
_started: list[Any] = []


def start_tracing(role: str) -> None:
    """Export the traces of this process, if BERTH_TRACING is set.

    Raises:
        ImproperlyConfigured: the packages are not installed.
    """
    if not settings.BERTH_TRACING or _started:
        return
    # Read as it is imported.
    os.environ.setdefault("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", PROBES)
    try:
        from opentelemetry import trace
        from opentelemetry.instrumentation.celery import CeleryInstrumentor
        from opentelemetry.instrumentation.django import DjangoInstrumentor
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ImproperlyConfigured(
            "BERTH_TRACING needs the packages of requirements-tracing.txt."
        ) from error
    name = os.environ.get("OTEL_SERVICE_NAME") or f"berth-{role}"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(_redacting_exporter()))
    trace.set_tracer_provider(provider)
    _started.append(provider)
    DjangoInstrumentor().instrument()
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    PsycopgInstrumentor().instrument()


def traced(app: T, role: str) -> T:
    """Return an ASGI application whose requests are traced, if BERTH_TRACING is set."""
    if not settings.BERTH_TRACING:
        return app
    start_tracing(role)
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.util.http import parse_excluded_urls

    wrapped: Any = OpenTelemetryMiddleware(
        app,
        excluded_urls=parse_excluded_urls(PROBES),
        exclude_spans=["receive", "send"],
    )
    return wrapped  # type: ignore[no-any-return]


def flush_traces() -> None:
    """Send what was not sent yet, before the process ends without clean-up."""
    for provider in _started:
        provider.force_flush(5000)


def _redacting_exporter() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class RedactingExporter(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> Any:
            return super().export([_clean(span) for span in spans])

    return RedactingExporter()


def _clean(span: ReadableSpan) -> ReadableSpan:
    from opentelemetry.sdk.trace import ReadableSpan

    return ReadableSpan(
        name=redacted(span.name),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_clean_attributes(span.attributes or {}),
        events=[_clean_event(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _clean_event(event: Event) -> Event:
    from opentelemetry.sdk.trace import Event

    attributes = _clean_attributes(event.attributes or {})
    return Event(event.name, attributes, event.timestamp)


def _clean_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _clean_value(key, value)
        for key, value in attributes.items()
        if key not in _DROPPED
    }


def _clean_value(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return redacted(value.partition("?")[0] if key in _URLS else value)
