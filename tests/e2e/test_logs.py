"""One line of JSON for each record of every process, and one ID for each request."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from audit.models import AuditEvent
from deploy.local import images
from deploy.local.nginx import NginxPorts, request_log, start_nginx
from deploy.local.process import ManagedProcess, free_port
from registries.models import ExternalRegistry
from tests.e2e.conftest import (
    PROJECT,
    UPSTREAM_LOGIN,
    Ports,
    Upstream,
    edge_environment,
    start_edge,
)
from tests.e2e.portal.conftest import portal_command
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.certificates import Authority

FORGED = "forged-by-a-client"
CHECK = "registries.tasks.check_due_registries_task"
QUESTIONS = ("/v2/_authorize", "/v2/_refusal", "/v2/_pull")


def records(log: Path) -> list[dict[str, Any]]:
    """Return the records of a log; fail if a line is none."""
    return [json.loads(line) for line in log.read_text().splitlines() if line]


def wait_for_record(log: Path, check: Callable[[dict[str, Any]], bool]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := [record for record in records(log) if check(record)]):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return found[0]


@dataclass
class Installation:
    """All processes, behind nginx."""

    portal: EdgeClient
    proxy: EdgeClient
    edge: EdgeClient
    worker: ManagedProcess
    requests: Path


@pytest.fixture
def environment(transactional_db: None, ports: Ports) -> dict[str, str]:
    # A broker of its own: other workers would take the tasks.
    redis_url = f"{settings.REDIS_URL.rpartition('/')[0]}/9"
    return edge_environment(ports) | {
        "REDIS_URL": redis_url,
        "BERTH_LOG_FORMAT": "json",
        "EMAIL_URL": "dummymail://",
    }


@pytest.fixture
def installation(environment: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    own = NginxPorts(
        **{name: free_port() for name in ("portal", "proxy", "registry")},
        registry_tls=free_port(),
        behind_portal=free_port(),
        behind_edge=free_port(),
        behind_registry=free_port(),
    )
    nginx_directory = tmp_path / "nginx"
    nginx_directory.mkdir()
    with ExitStack() as stack:
        edge_log, portal_log = tmp_path / "edge.log", tmp_path / "portal.log"
        edge = stack.enter_context(start_edge(environment, own.behind_edge, edge_log))
        portal = stack.enter_context(
            ManagedProcess(
                portal_command(own.behind_portal),
                name="portal",
                log=portal_log,
                env=environment,
                cwd=PROJECT,
            )
        )
        worker = stack.enter_context(
            ManagedProcess(
                [
                    *(sys.executable, "-m", "celery", "--quiet"),
                    *("-A", "portal.celery:app", "worker", "--concurrency", "1"),
                ],
                name="worker",
                log=tmp_path / "worker.log",
                env=environment,
                cwd=PROJECT,
            )
        )
        certificate = Authority(tmp_path).issue("localhost")
        nginx = stack.enter_context(start_nginx(nginx_directory, own, certificate, "/"))
        portal.wait_for_http(f"http://127.0.0.1:{own.behind_portal}/readyz", 60)
        yield Installation(
            EdgeClient(f"localhost:{own.portal}", portal, portal_log),
            EdgeClient(f"localhost:{own.proxy}", nginx, nginx.log),
            EdgeClient(f"localhost:{own.behind_edge}", edge, edge_log),
            worker,
            request_log(nginx_directory),
        )


def test_one_id_leads_from_nginx_to_the_worker(
    installation: Installation, connected: Vendor
) -> None:
    _, secret = connected.api_token(name="logs")
    headers = {"Authorization": f"Bearer {secret.reveal()}", "X-Request-ID": FORGED}
    registry = ExternalRegistry.objects.get(team=connected.team)

    path = f"/api/v1/registries/{registry.pk}"
    body = json.dumps({"test_image": "my-org/logs:v1"}).encode()
    answer = installation.portal.request(
        "PATCH", path, headers | {"Content-Type": "application/json"}, body
    )

    assert answer.status == 200, answer.body
    (request_id,) = answer.headers.getlist("X-Request-ID")
    assert request_id != FORGED
    # The change is audited with it,
    assert AuditEvent.objects.filter(request_id=request_id).exists()
    assert not AuditEvent.objects.filter(request_id=FORGED).exists()
    # nginx and the worker log it,
    in_nginx = wait_for_record(
        installation.requests, lambda record: record["request_id"] == request_id
    )
    assert (in_nginx["path"], in_nginx["status"]) == (path, 200)
    wait_for_record(
        installation.worker.log,
        lambda record: record.get("request_id") == request_id,
    )
    # and no line of any process holds a secret.
    for log in (
        *(installation.requests, installation.worker.log),
        *(installation.portal.log, installation.edge.log),
    ):
        assert records(log)
        assert secret.reveal() not in log.read_text()
        assert UPSTREAM_LOGIN[1] not in log.read_text()


def test_a_refused_pull_is_logged_under_the_id_of_its_answer(
    installation: Installation, connected: Vendor, basic_upstream: Upstream
) -> None:
    images.push_image(
        basic_upstream.url,
        "my-org/logs",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a"})],
    )
    name = f"proxy/{connected.application.slug}/sample/my-org/logs"
    license_id = connected.license().license_id.reveal()
    token = installation.proxy.token(license_id, name)
    pulled = installation.proxy.get(name, "manifests/v1", token)
    other = f"proxy/{connected.application.slug}/unknown/my-org/logs"

    refused = installation.proxy.get(other, "manifests/v1", token)

    assert (pulled.status, refused.status) == (200, 401)
    (request_id,) = refused.headers.getlist("X-Request-ID")
    assert pulled.headers.getlist("X-Request-ID") != [request_id]
    record = wait_for_record(
        installation.edge.log, lambda record: record.get("request_id") == request_id
    )
    assert record["logger"] == "edge.proxy.access"
    assert record["message"].startswith("Pull denied")
    assert record["level"] == "INFO"
    in_nginx = wait_for_record(
        installation.requests, lambda record: record["request_id"] == request_id
    )
    assert in_nginx["path"] == f"/v2/{other}/manifests/v1"
    assert token not in installation.requests.read_text()


def test_nginx_answers_with_the_id_where_nobody_else_does(
    installation: Installation,
) -> None:
    installation.edge.process.stop()

    for path in ("/", "/v2/", "/v2/_pull"):
        answer = installation.proxy.request("GET", path)
        assert answer.status in {404, 503}
        assert len(answer.headers.getlist("X-Request-ID")) == 1


@pytest.mark.expected_traceback("ModuleNotFoundError")
def test_a_traceback_is_in_the_line_of_its_record(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "manage.log"

    with ManagedProcess(
        [sys.executable, "-c", "import portal.settings, nothing_of_that_name"],
        name="manage",
        log=log,
        env=environment,
        cwd=PROJECT,
    ) as process:
        deadline = time.monotonic() + 30
        while process.exit_code is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    (record,) = records(log)
    assert process.exit_code == 1
    assert record["level"] == "CRITICAL"
    assert "Traceback (most recent call last):\n" in record["exception"]
    assert record["exception"].endswith("No module named 'nothing_of_that_name'")


def test_questions_of_nginx_are_answered_to_trusted_proxies_alone(
    ports: Ports, connected: Vendor, tmp_path: Path
) -> None:
    name = f"proxy/{connected.application.slug}/sample/my-org/logs"
    license_id = connected.license().license_id.reveal()
    asked = {
        "X-Berth-Name": name,
        "X-Original-Method": "GET",
        "X-Original-URI": "/v2/",
        "X-Request-ID": FORGED,
    }
    statuses, ids = {}, {}
    for trusted in ("", "127.0.0.1/32"):
        port, log = free_port(), tmp_path / f"edge{len(trusted)}.log"
        environment = edge_environment(ports) | {"BERTH_TRUSTED_PROXIES": trusted}
        with start_edge(environment, port, log, "asked edge") as process:
            edge = EdgeClient(f"localhost:{port}", process, log)
            bearer = {"Authorization": f"Bearer {edge.token(license_id, name)}"}
            answers = [edge.request("GET", path, asked | bearer) for path in QUESTIONS]
            statuses[trusted] = [answer.status for answer in answers]
            ids[trusted] = {answer.headers["X-Request-ID"] for answer in answers}

    assert statuses == {"": [404, 404, 404], "127.0.0.1/32": [401, 401, 200]}
    # Only of a trusted proxy is the ID taken over.
    assert FORGED not in ids[""]
    assert len(ids[""]) == len(QUESTIONS)
    assert ids["127.0.0.1/32"] == {FORGED}
