"""Two edges and two nginx on one database: it does not matter who answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, cycle, islice
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import free_port
from licenses.services import revoke_license
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.e2e.data_plane.conftest import DataPlane, Puller, puller_of
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.minutes import within_a_minute
from tests.support.rows.vendor import Vendor

CONTENT = b"the same for everybody"
FAILURES = 6


@pytest.fixture
def pullers(plane: DataPlane, own_plane: DataPlane, counted: Vendor) -> list[Puller]:
    """Return one customer at both nginx, with a token from the first."""
    first = puller_of(plane, counted)
    return [first, Puller(own_plane, first.license, first.name, first.token)]


def answers(pullers: list[Puller], rest: str, method: str = "GET") -> list[Answer]:
    return [puller.get(rest, method) for puller in pullers]


def test_both_give_the_same_answers(pullers: list[Puller]) -> None:
    digests = {puller.keep(CONTENT) for puller in pullers}
    assert len(digests) == 1
    assert pullers[0].place == pullers[1].place
    hit = f"blobs/{digests.pop()}"

    for method in ("GET", "HEAD"):
        one, other = answers(pullers, hit, method)
        assert one.status == other.status == 200
        assert one.body == other.body == (CONTENT if method == "GET" else b"")
        for header in ("Docker-Content-Digest", "ETag", "Content-Type"):
            assert one.headers[header] == other.headers[header]
    for rest in ("manifests/v1", "tags/list"):
        one, other = answers(pullers, rest)
        assert (one.status, one.body) == (other.status, other.body)


def test_a_revocation_is_felt_at_both(pullers: list[Puller], counted: Vendor) -> None:
    hits = [f"blobs/{puller.keep(CONTENT)}" for puller in pullers]
    assert [answer.status for answer in answers(pullers, hits[0])] == [200, 200]

    revoke_license(actor=counted.actor, license=pullers[0].license, reason="test")
    time.sleep(1)

    refused = answers(pullers, hits[0]) + answers(pullers, "manifests/v1")
    assert [answer.status for answer in refused] == [401] * 4
    assert len({answer.error for answer in refused}) == 1


@pytest.fixture
def strict_edges(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> Iterator[list[EdgeClient]]:
    """Two edges that allow few wrong logins."""
    environment = edge_environment(ports) | {
        "BERTH_TOKEN_FAILURES_PER_MINUTE": str(FAILURES),
        "BERTH_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    with ExitStack() as stack:
        edges = []
        for name in ("one", "other"):
            port, log = free_port(), tmp_path / f"{name}.log"
            process = stack.enter_context(start_edge(environment, port, log, name))
            edges.append(EdgeClient(f"localhost:{port}", process, log))
        yield edges


def test_a_limit_counts_what_both_have_seen(strict_edges: list[EdgeClient]) -> None:
    addresses = count(1)

    def guess_at_both() -> list[int]:
        address = f"198.51.100.{next(addresses)}"
        edges = islice(cycle(strict_edges), FAILURES + 4)
        return [guess(edge, address) for edge in edges]

    # The last that is looked up was one too many.
    expected = [401] * (FAILURES + 1) + [429] * 3
    assert within_a_minute(guess_at_both) == expected


def guess(edge: EdgeClient, address: str) -> int:
    headers = urllib3.make_headers(basic_auth=f"x:{'0' * 27}")
    headers["X-Forwarded-For"] = address
    return edge.request("GET", "/v2/token?service=berth-proxy", headers).status


@pytest.fixture
def two_processes(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> Iterator[EdgeClient]:
    """Two edge processes that share a port."""
    port, log = free_port(), tmp_path / "edges.log"
    environment = edge_environment(ports) | {"WEB_CONCURRENCY": "2"}
    with start_edge(environment, port, log, "two edges") as process:
        started = "Application startup complete"
        process.wait_until(lambda: log.read_text().count(started) == 2, 30)
        yield EdgeClient(f"localhost:{port}", process, log)


def test_an_edge_runs_with_several_processes(
    two_processes: EdgeClient, counted: Vendor
) -> None:
    license_id = counted.license().license_id.reveal()
    name = f"proxy/{counted.application.slug}/counting/small/app"

    for _ in range(10):
        two_processes.http.clear()  # the next connection may reach the other process
        token = two_processes.token(license_id, name)
        assert two_processes.get(name, "manifests/v1", token).status == 200
