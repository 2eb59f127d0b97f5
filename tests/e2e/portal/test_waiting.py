"""Requests that wait for another server leave threads for all others."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from tests.e2e.portal.conftest import NOTIFICATION_TOKEN
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.factories import ImageTagFactory
from tests.support.rows.vendor import Vendor, create_vendor

FLOOD = 28
THREADS = 8  # of the Procfile
# Generous for a busy machine: without a limit it takes more than half a minute.
QUICK_SECONDS = 5
JSON = {"Content-Type": "application/json"}
CSRF = "c" * 32
FORM = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Cookie": f"csrftoken={CSRF}",
    "X-CSRFToken": CSRF,
}


@dataclass(frozen=True)
class Sent:
    """A request to send."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def api(vendor: Vendor, method: str, path: str, body: object = None) -> Sent:
    _, secret = vendor.api_token(name=f"token-{time.monotonic_ns()}")
    headers = {"Authorization": f"Bearer {secret.reveal()}"} | JSON
    return Sent(method, f"/api/v1{path}", headers, json.dumps(body).encode())


def try_of_a_credential(vendor: Vendor, host: str) -> Sent:
    body = {"provider": "other", "endpoint": host, "username": "a", "secret": "b"}
    return api(vendor, "POST", "/registries/test", body)


def invitation(vendor: Vendor, _host: str) -> Sent:
    body = {"email": f"p{time.monotonic_ns()}@acme.example", "role": "support"}
    return api(vendor, "POST", "/invitations", body)


def deletion(vendor: Vendor, _host: str) -> Sent:
    tag = ImageTagFactory(manifest__repository__application=vendor.application)
    path = f"/applications/{vendor.application.slug}/images/{tag.repository_id}"
    return api(vendor, "DELETE", f"{path}/tags/{tag.pk}")


def password_reset(vendor: Vendor, _host: str) -> Sent:
    body = f"email={vendor.owner.email}".encode()
    return Sent("POST", "/accounts/password/reset/", FORM, body)


def single_sign_on(_vendor: Vendor, _host: str) -> Sent:
    return Sent("POST", "/accounts/oidc/sso/login/", FORM, b"")


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
def flood(portal: EdgeClient, requests: Sequence[Sent]) -> Iterator[Flood]:
    """Send requests at once; wait for all answers at the end."""
    state = Flood()

    def send(sent: Sent) -> None:
        answer = portal.request(sent.method, sent.path, sent.headers, sent.body)
        state.answers.append(answer)

    with ThreadPoolExecutor(len(requests)) as threads:
        sending = [threads.submit(send, sent) for sent in requests]
        yield state
    for request in sending:
        request.result()


def seconds_of_others(portal: EdgeClient, vendor: Vendor) -> dict[str, float]:
    """Ask for what must never wait, at once; return how long each takes."""
    notification = {
        "Authorization": f"Bearer {NOTIFICATION_TOKEN}",
        "Content-Type": "application/vnd.docker.distribution.events.v1+json",
    }
    path = f"/licenses/{vendor.license().pk}/revoke"
    requests = {
        "livez": Sent("GET", "/livez"),
        "readyz": Sent("GET", "/readyz"),
        "revocation": api(vendor, "POST", path, {"reason": "leaked"}),
        "notification": Sent(
            "POST", "/registry-notifications", notification, b'{"events": []}'
        ),
    }

    def measure(name: str) -> float:
        sent = requests[name]
        started = time.monotonic()
        answer = portal.request(sent.method, sent.path, sent.headers, sent.body)
        assert answer.status == 200, name
        return time.monotonic() - started

    with ThreadPoolExecutor() as threads:
        return dict(zip(requests, threads.map(measure, requests), strict=True))


@pytest.mark.parametrize(("teams", "tries"), [(1, FLOOD), (4, 10)])
def test_tries_of_a_credential_leave_threads_for_others(
    portal: EdgeClient, silent: str, vendor: Vendor, teams: int, tries: int
) -> None:
    vendors = [create_vendor() for _ in range(teams)]
    requests = [try_of_a_credential(item, silent) for item in vendors] * tries
    granted = min(2 * teams, 3)  # the last place is for signing in
    with flood(portal, requests) as state:
        state.wait_for_answers(len(requests) - granted)
        seconds = seconds_of_others(portal, vendor)
        refused = list(state.answers)

    assert max(seconds.values()) < QUICK_SECONDS
    assert len(refused) == len(requests) - granted
    assert {answer.status for answer in refused} <= {429, 503}
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    others = [answer for answer in state.answers if answer not in refused]
    assert [answer.json["outcome"] for answer in others] == ["unreachable"] * granted


@pytest.mark.parametrize(
    ("request_of", "statuses"),
    [
        (invitation, {201}),  # the link is also in the answer
        (deletion, {429}),
        (password_reset, {302, 429}),  # the page does not say whether a mail was sent
        (single_sign_on, {429}),
    ],
)
def test_waiting_for_the_operators_servers_leaves_threads_for_others(
    portal: EdgeClient,
    silent: str,
    vendor: Vendor,
    request_of: Callable[[Vendor, str], Sent],
    statuses: set[int],
) -> None:
    another = create_vendor()
    another.give_owner_a_password()
    requests = [request_of(another, silent) for _ in range(FLOOD)]
    with flood(portal, requests) as state:
        state.wait_for_answers(FLOOD - 2)
        seconds = seconds_of_others(portal, vendor)
        refused = list(state.answers)

    assert max(seconds.values()) < QUICK_SECONDS
    assert {answer.status for answer in refused} <= statuses
    if statuses == {429}:
        assert {answer.headers["Retry-After"] for answer in refused} == {"5"}


def test_slow_readers_of_exports_leave_threads_for_others(
    portal: EdgeClient, vendor: Vendor
) -> None:
    owner = Client()
    owner.force_login(vendor.owner)
    cookie = f"sessionid={owner.cookies['sessionid'].value}"
    path = f"/t/{vendor.team.slug}/audit.csv"
    fill_audit_log(vendor)
    with ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(start_reading(portal, path, cookie))
        time.sleep(1)
        seconds = seconds_of_others(portal, create_vendor())
        refused = portal.request("GET", path, {"Cookie": cookie})

    assert max(seconds.values()) < QUICK_SECONDS
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    assert "waiting for other servers" in refused.body.decode()
    deadline = time.monotonic() + 20
    while (complete := portal.request("GET", path, {"Cookie": cookie})).status == 429:
        assert time.monotonic() < deadline, "readers that left still count"
        time.sleep(0.2)
    assert complete.status == 200


def fill_audit_log(vendor: Vendor) -> None:
    """Make the export longer than what the sockets and the server buffer."""
    fields: dict[str, Any] = {
        "team": vendor.team,
        "tag": "customer:created",
        "actor_kind": "user",
        "actor_id": vendor.owner.pk,
        "actor_label": vendor.owner.email,
        "subject_kind": "licenses.customer",
        "subject_id": vendor.customer.pk,
        "subject_label": "Initech",
        "created_at": timezone.now(),
        "data": {"note": "x" * 400},
    }
    AuditEvent.objects.bulk_create(AuditEvent(**fields) for _ in range(40_000))


@contextmanager
def start_reading(portal: EdgeClient, path: str, cookie: str) -> Iterator[None]:
    """Ask for a page and read none of it."""
    host, _, port = portal.host.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        lines = [f"GET {path} HTTP/1.1", f"Host: {portal.host}", f"Cookie: {cookie}"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield
