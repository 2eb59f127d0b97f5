"""Traces, as a collector of OpenTelemetry receives them from all processes."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from deploy.local.process import ManagedProcess, free_port
from registries.models import ExternalRegistry
from tests.e2e.conftest import PROJECT, Ports, edge_environment, start_edge
from tests.e2e.portal.conftest import portal_command
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.canned_server import Answer, Request, http_server

LINK = "Zq3" + "x" * 40
CHECK = "registries.tasks.check_due_registries_task"


@dataclass
class Collector:
    """What was exported, by the service that did."""

    endpoint: str = ""
    bodies: list[bytes] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: Request) -> Answer:
        with self._lock:
            self.bodies.append(request.body)
        return Answer(200, {"Content-Type": "application/x-protobuf"})

    def spans(self, service: str) -> list[Any]:
        found = []
        with self._lock:
            bodies = list(self.bodies)
        for body in bodies:
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                named = {item.key: item.value for item in part.resource.attributes}
                if named["service.name"].string_value == service:
                    found += [span for one in part.scope_spans for span in one.spans]
        return found

    def wait_for(self, service: str, part: str) -> list[Any]:
        deadline = time.monotonic() + 30
        while not (
            found := [span for span in self.spans(service) if part in span.name]
        ):
            names = [span.name for span in self.spans(service)]
            assert time.monotonic() < deadline, f"no {part} of {service}: {names}"
            time.sleep(0.1)
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    with http_server(collector.take) as port:
        collector.endpoint = f"http://127.0.0.1:{port}"
        yield collector


@pytest.fixture
def environment(
    transactional_db: None, ports: Ports, collector: Collector
) -> dict[str, str]:
    return edge_environment(ports) | {
        # A broker of its own: other workers would take the tasks.
        "REDIS_URL": f"{settings.REDIS_URL.rpartition('/')[0]}/10",
        "EMAIL_URL": "dummymail://",
        "BERTH_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "PYTHONWARNINGS": "ignore",
    }


def test_a_trace_leads_from_the_portal_to_the_worker_without_secrets(
    environment: dict[str, str],
    collector: Collector,
    connected: Vendor,
    tmp_path: Path,
) -> None:
    _, secret = connected.api_token(name="traces")
    headers = {
        "Authorization": f"Bearer {secret.reveal()}",
        "Content-Type": "application/json",
    }
    registry = ExternalRegistry.objects.get(team=connected.team)
    port, log = free_port(), tmp_path / "portal.log"
    with ExitStack() as stack:
        process = stack.enter_context(
            ManagedProcess(
                portal_command(port),
                name="portal",
                log=log,
                env=environment,
                cwd=PROJECT,
            )
        )
        stack.enter_context(
            ManagedProcess(
                [
                    *(sys.executable, "-m", "celery", "-A", "portal.celery:app"),
                    *("worker", "--concurrency", "1"),
                ],
                name="worker",
                log=tmp_path / "worker.log",
                env=environment,
                cwd=PROJECT,
            )
        )
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        portal = EdgeClient(f"127.0.0.1:{port}", process, log)
        body = json.dumps({"test_image": "my-org/traces:v1"}).encode()
        path = f"/api/v1/registries/{registry.pk}"
        changed = portal.request("PATCH", path, headers, body)
        assert changed.status == 200, changed.body
        portal.request("GET", f"/c/links/{LINK}?next={LINK}")

        (request,) = collector.wait_for("berth-portal", "PATCH")
        collector.wait_for("berth-portal", "links")
        runs = collector.wait_for("berth-worker", CHECK)
    assert {span.trace_id for span in runs} == {request.trace_id}
    queries = [span for span in collector.spans("berth-portal") if span.kind == 3]
    assert request.trace_id in {span.trace_id for span in queries}
    assert not any("readyz" in span.name for span in collector.spans("berth-portal"))
    sent = b"".join(collector.bodies)
    assert b"test_image" in sent  # of a statement, without its values
    for hidden in (LINK, secret.reveal(), "my-org/traces"):
        assert hidden.encode() not in sent


def test_the_edge_is_traced_too(
    environment: dict[str, str],
    collector: Collector,
    connected: Vendor,
    tmp_path: Path,
) -> None:
    port, log = free_port(), tmp_path / "edge.log"
    license_id = connected.license().license_id.reveal()
    name = f"proxy/{connected.application.slug}/sample/my-org/traces"
    with start_edge(environment, port, log, "traced edge") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)
        token = edge.token(license_id, name)
        assert edge.get(name, "manifests/v1", token).status == 404
        spans = collector.wait_for("berth-edge", "GET")

    assert spans
    sent = b"".join(collector.bodies)
    for hidden in (license_id, token):
        assert hidden.encode() not in sent


def test_nothing_is_exported_unless_it_is_asked_for(
    environment: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    off = environment | {"BERTH_TRACING": "false"}
    port, log = free_port(), tmp_path / "edge.log"
    with start_edge(off, port, log, "silent edge") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)
        assert edge.request("GET", "/v2/").status == 401

    assert collector.bodies == []
