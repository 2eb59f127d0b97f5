from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import urllib3

from tests.e2e.conftest import Ports
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.objects.object_registry import ObjectRegistry, listening
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import HostileUpstream

DIGEST = "sha256:" + "a" * 64


class Victim:
    """A vendor whose registry is hostile, and a customer who pulls from it."""

    def __init__(
        self, edge: EdgeClient, vendor: Vendor, hostile: HostileUpstream
    ) -> None:
        self.edge = edge
        self.vendor = vendor
        self.hostile = hostile
        self.registry = vendor.connect(hostile.endpoint, "evil")
        self.license_id = vendor.license().license_id.reveal()

    def name(self, behaviour: str) -> str:
        return f"proxy/{self.vendor.application.slug}/evil/{behaviour}/{self._unique}"

    @property
    def _unique(self) -> str:
        return self.vendor.team.slug

    def get(self, behaviour: str, rest: str = f"blobs/{DIGEST}") -> Answer:
        name = self.name(behaviour)
        return self.edge.get(name, rest, self.edge.token(self.license_id, name))

    def open(self, behaviour: str) -> urllib3.BaseHTTPResponse:
        name = self.name(behaviour)
        token = self.edge.token(self.license_id, name)
        return self.edge.http.request(
            "GET",
            f"http://{self.edge.host}/v2/{name}/blobs/{DIGEST}",
            headers={"Authorization": f"Bearer {token}"},
            preload_content=False,
        )

    def seen(self, behaviour: str) -> list[dict[str, str]]:
        return [item.headers for item in self.hostile.requests_for(behaviour)]


@pytest.fixture
def victim(strict_edge: EdgeClient, vendor: Vendor, hostile: HostileUpstream) -> Victim:
    hostile.requests.clear()
    hostile.sent.clear()
    return Victim(strict_edge, vendor, hostile)


@pytest.fixture
def origin(ports: Ports) -> Iterator[ObjectRegistry]:
    """A registry without objects, that a test fills and directs."""
    registry = ObjectRegistry(ports.origin)
    with listening(registry):
        yield registry


def eventually(condition: Callable[[], bool], what: str, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def no_connection_left_open(victim: Victim) -> None:
    """Idle keep-alive connections may stay; none that still carries an answer."""
    eventually(lambda: victim.hostile.answering == 0, "a connection was left open")
