"""Servers that are frozen, not stopped: connections stay, and nothing answers."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import urllib3

from deploy.local.process import ManagedProcess, free_port
from tests.e2e.conftest import PROJECT, start_edge
from tests.integration.images.test_notifications import event
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.stacks.check_stack import LOGIN, CheckStack
from tests.support.stacks.freezing import frozen

SECONDS = 6
# Of readiness probes, whose own deadline is 2 s.
PROBE_SECONDS = 3.5
# A request may wait a second for each count or cached value, never for the broker.
BROKER_SECONDS = 4
AT_ONCE = 24
NOTIFICATION_TOKEN = "notification-token-of-a-frozen-site"


@dataclass(frozen=True)
class Site:
    """The edge and the portal on the database of the checks, with a license."""

    edge: EdgeClient
    portal: EdgeClient
    name: str
    application: str
    team: str
    session: str
    license_id: str

    def page(self) -> Answer:
        cookie = {"Cookie": f"sessionid={self.session}"}
        return self.portal.request("GET", f"/t/{self.team}/customers", cookie)

    def api(self) -> Answer:
        login = urllib3.make_headers(basic_auth=f"license:{self.license_id}")
        return self.portal.request("GET", "/api/v1/license", login)

    def push(self) -> Answer:
        """Notify the portal of a push, which wakes a worker."""
        image = f"{self.application}/api"
        pushed = event("push", image, f"sha256:{'a' * 64}", uuid.uuid4().hex)
        headers = {"Authorization": f"Bearer {NOTIFICATION_TOKEN}"}
        body = json.dumps({"events": [pushed]}).encode()
        return self.portal.request("POST", "/registry-notifications", headers, body)

    def pull(self, token: str) -> Answer:
        return self.edge.get(self.name, "manifests/v1", token)

    def token(self) -> Answer:
        login = ("license", self.license_id)
        return self.edge.token_answer(login, f"repository:{self.name}:pull")


@pytest.fixture(scope="module")
def site(
    servers: CheckStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    logs = tmp_path_factory.mktemp("frozen")
    crew = servers.seed("team", slug="frozen")
    servers.seed(
        "registry",
        team="frozen",
        endpoint=servers.fake.endpoint,
        slug="frozen",
        credential=LOGIN,
    )
    license_id = servers.seed("license", team="frozen")["license_id"]
    environment = servers.environment | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "SECURE_COOKIES": "false",
        "BERTH_REGISTRY_NOTIFICATION_TOKEN": NOTIFICATION_TOKEN,
    }
    edge_port, portal_port = free_port(), free_port()
    with (
        start_edge(environment, edge_port, logs / "edge.log") as edge,
        start_granian(environment, portal_port, logs / "portal.log") as portal,
    ):
        yield Site(
            EdgeClient(f"localhost:{edge_port}", edge, logs / "edge.log"),
            EdgeClient(f"localhost:{portal_port}", portal, logs / "portal.log"),
            f"proxy/{crew['application']}/frozen/my-org/api",
            crew["application"],
            "frozen",
            crew["sessions"]["owner"],
            license_id,
        )


def start_granian(environment: dict[str, str], port: int, log: Path) -> ManagedProcess:
    process = ManagedProcess(
        [
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "8"),
            "portal.wsgi:application",
        ],
        name="portal",
        log=log,
        env=environment,
        cwd=PROJECT,
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
    return process


def timed(request: Callable[[], Answer]) -> tuple[Answer, float]:
    started = time.monotonic()
    answer = request()
    return answer, time.monotonic() - started


def wait_for_200(request: Callable[[], Answer]) -> None:
    deadline = time.monotonic() + 15
    while (answer := request()).status != 200:
        assert time.monotonic() < deadline, answer.body
        time.sleep(0.2)


def asked_at_once(requests: list[Callable[[], Answer]]) -> list[tuple[Answer, float]]:
    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(timed, requests))


@pytest.mark.expected_traceback("OperationalError")
def test_with_a_frozen_database_every_request_is_503_in_time(
    servers: CheckStack, site: Site
) -> None:
    token = site.token().json["token"]
    requests: dict[str, Callable[[], Answer]] = {
        "page": site.page,
        "API": site.api,
        "token": site.token,
        "pull": lambda: site.pull(token),
        "edge ready": lambda: site.edge.request("GET", "/readyz"),
        "portal ready": lambda: site.portal.request("GET", "/readyz"),
    }
    assert {name: ask().status for name, ask in requests.items()} == dict.fromkeys(
        requests, 200
    )
    time.sleep(1)  # until the edge has forgotten its decision

    with frozen(servers.postgres):
        answers = dict(zip(requests, asked_at_once([*requests.values()]), strict=True))
        again = dict(zip(requests, asked_at_once([*requests.values()]), strict=True))
    for ask in requests.values():
        wait_for_200(ask)

    for name, (answer, seconds) in [*answers.items(), *again.items()]:
        limit = PROBE_SECONDS if "ready" in name else SECONDS
        assert (name, answer.status, seconds < limit) == (name, 503, True), seconds
        assert answer.headers["Retry-After"] == "5"
    assert answers["pull"][0].error[0] == "UNAVAILABLE"
    assert answers["API"][0].json["code"] == "database_unavailable"
    assert "The database is unavailable</h1>" in answers["page"][0].body.decode()


@pytest.mark.expected_traceback("OperationalError")
def test_a_crowd_at_a_frozen_database_does_not_wait_in_line(
    servers: CheckStack, site: Site
) -> None:
    with frozen(servers.postgres):
        pages = asked_at_once([site.page] * AT_ONCE)
        tokens = asked_at_once([site.token] * AT_ONCE)
    wait_for_200(site.page)
    wait_for_200(site.token)

    for answer, seconds in [*pages, *tokens]:
        assert (answer.status, seconds < SECONDS) == (503, True), seconds


def test_with_a_frozen_broker_requests_go_on(servers: CheckStack, site: Site) -> None:
    wait_for_200(site.push)

    with frozen(servers.valkey):
        pushed = [timed(site.push) for _ in range(3)]
        others = {
            "page": timed(site.page),
            "API": timed(site.api),
            "token": timed(site.token),
            "edge ready": timed(lambda: site.edge.request("GET", "/readyz")),
            "portal ready": timed(lambda: site.portal.request("GET", "/readyz")),
        }
    wait_for_200(site.push)
    broker = redis.from_url(servers.environment["REDIS_URL"])
    servers.wait_for("woken", lambda: "confirm_images_task" in queued(broker))

    for answer, seconds in [*pushed, *others.values()]:
        assert (answer.status, seconds < BROKER_SECONDS) == (200, True), seconds


def queued(broker: redis.Redis) -> str:
    return "".join(map(str, broker.lrange("celery", 0, -1)))
