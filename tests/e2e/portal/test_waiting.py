"""Requests that wait for somebody else's server leave threads for all others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.e2e.portal.conftest import NOTIFICATION_TOKEN
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor, create_vendor

TRIES = 28
# Generous for a busy machine: without a limit it takes more than half a minute.
QUICK_SECONDS = 5
JSON = "application/json"


@dataclass
class Flood:
    """Requests under way, and what those that ended got."""

    answers: list[Answer] = field(default_factory=list)

    def wait_for_answers(self, number: int) -> None:
        deadline = time.monotonic() + 20
        while len(self.answers) < number:
            assert time.monotonic() < deadline, f"{len(self.answers)} answers"
            time.sleep(0.05)


@contextmanager
def flood(portal: EdgeClient, host: str, tokens: Sequence[str]) -> Iterator[Flood]:
    """Try a credential at ``host`` with each of the API tokens, all at once."""
    state = Flood()
    body = json.dumps(
        {"provider": "other", "endpoint": host, "username": "a", "secret": "b"}
    )

    def send(token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON}
        path = "/api/v1/registries/test"
        state.answers.append(portal.request("POST", path, headers, body.encode()))

    with ThreadPoolExecutor(len(tokens)) as threads:
        sent = [threads.submit(send, token) for token in tokens]
        yield state
    for request in sent:
        request.result()


def seconds_of_others(portal: EdgeClient, vendor: Vendor) -> dict[str, float]:
    """Ask for what must never wait, at once; return how long each takes."""
    _, secret = vendor.api_token(name="revoker")
    token = {"Authorization": f"Bearer {secret.reveal()}", "Content-Type": JSON}
    notification = {
        "Authorization": f"Bearer {NOTIFICATION_TOKEN}",
        "Content-Type": "application/vnd.docker.distribution.events.v1+json",
    }
    path = f"/api/v1/licenses/{vendor.license().pk}/revoke"
    requests = {
        "livez": ("GET", "/livez", {}, None),
        "readyz": ("GET", "/readyz", {}, None),
        "revocation": ("POST", path, token, b'{"reason": "leaked"}'),
        "notification": (
            *("POST", "/registry-notifications", notification),
            b'{"events": []}',
        ),
    }

    def measure(name: str) -> float:
        started = time.monotonic()
        assert portal.request(*requests[name]).status in {200, 204}, name
        return time.monotonic() - started

    with ThreadPoolExecutor() as threads:
        return dict(zip(requests, threads.map(measure, requests), strict=True))


@pytest.mark.parametrize(("teams", "tries"), [(1, 28), (4, 10)])
def test_tries_of_a_credential_leave_threads_for_others(
    portal: EdgeClient, silent: str, vendor: Vendor, teams: int, tries: int
) -> None:
    vendors = [create_vendor() for _ in range(teams)]
    tokens = [item.api_token()[1].reveal() for item in vendors] * tries
    granted = min(2 * teams, 4)
    with flood(portal, silent, tokens) as requests:
        requests.wait_for_answers(len(tokens) - granted)
        seconds = seconds_of_others(portal, vendor)
        refused = list(requests.answers)

    assert max(seconds.values()) < QUICK_SECONDS
    assert len(refused) == len(tokens) - granted
    assert {answer.status for answer in refused} <= {429, 503}
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    others = [answer for answer in requests.answers if answer not in refused]
    assert [answer.json["outcome"] for answer in others] == ["unreachable"] * granted
