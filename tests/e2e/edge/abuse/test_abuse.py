"""Strangers and greedy logins at the token service, while a customer needs a token."""

from __future__ import annotations

import os
import signal
import socket
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from django.db import connection, transaction

from deploy.local.process import ManagedProcess, free_port
from deploy.local.valkey import start_valkey
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.support.clients.edge import EdgeClient
from tests.support.minutes import within_a_minute
from tests.support.rows.vendor import Vendor

# Of the form of a license ID, and with an address it may be an account's password.
PASSWORD = "abcdefghijklmnopqrstuvwxyz1"
STRANGER = "stranger@example.com"
# The aim is one second; two busy cores may take longer.
PATIENCE = 5


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[tuple[ManagedProcess, str]]:
    process, url = start_valkey(tmp_path / "valkey")
    with process:
        yield process, url


@pytest.fixture
def busy_edge(
    ports: Ports,
    transactional_db: None,
    tmp_path: Path,
    valkey: tuple[ManagedProcess, str],
) -> Iterator[EdgeClient]:
    """An edge with the default limits, which believes 127.0.0.1 to be a proxy."""
    environment = edge_environment(ports) | {
        "BERTH_TRUSTED_PROXIES": "127.0.0.1/32",
        "REDIS_URL": valkey[1],
    }
    for name in ("FAILURES", "REQUESTS"):
        environment.pop(f"BERTH_TOKEN_{name}_PER_MINUTE")
    port = free_port()
    log = tmp_path / "edge.log"
    with start_edge(environment, port, log, "busy edge") as process:
        client = EdgeClient(f"localhost:{port}", process, log)
        client.http.connection_pool_kw |= {"maxsize": 300}
        yield client


def ask(
    edge: EdgeClient,
    address: str,
    login: tuple[str, str],
    scopes: str = "",
) -> int:
    headers = urllib3.make_headers(basic_auth=":".join(login))
    headers["X-Forwarded-For"] = address
    path = f"/v2/token?service=berth-proxy{scopes}"
    return edge.request("GET", path, headers).status


def customer_seconds(edge: EdgeClient, vendor: Vendor) -> list[float]:
    """Return how long each of five token requests of a customer takes."""
    login = ("license", vendor.license().license_id.reveal())
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        assert ask(edge, "203.0.113.200", login) == 200
        seconds.append(time.monotonic() - started)
    return seconds


def test_guesses_are_counted_before_any_is_hashed(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    def guess() -> Counter[int]:
        with ThreadPoolExecutor(40) as threads:
            answers = threads.map(
                lambda _: ask(busy_edge, "203.0.113.20", (STRANGER, PASSWORD)),
                range(200),
            )
            return Counter(answers)

    statuses = within_a_minute(guess)

    assert set(statuses) == {401, 429}
    assert statuses[401] <= 30


def test_a_customer_gets_a_token_while_strangers_guess_from_many_addresses(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    def guess(number: int) -> int:
        address = f"198.51.100.{number % 50}"
        return ask(busy_edge, address, (STRANGER, PASSWORD))

    with ThreadPoolExecutor(100) as threads:
        guesses = [threads.submit(guess, number) for number in range(200)]
        time.sleep(0.3)
        seconds = customer_seconds(busy_edge, vendor)
        statuses = Counter(future.result() for future in guesses)

    assert max(seconds) < PATIENCE
    assert set(statuses) <= {401, 429, 503}
    assert statuses[401] > 0


def test_guesses_whose_client_has_left_are_dropped(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    email, password = vendor.owner.email, vendor.give_owner_a_password()

    for number in range(60):
        leave(busy_edge, f"{STRANGER}:{PASSWORD}", f"198.51.100.{number}", 0.01)
    started = time.monotonic()
    own = ask(busy_edge, "203.0.113.21", (email, password))
    seconds = time.monotonic() - started

    assert own == 200
    assert seconds < PATIENCE


def test_a_guess_counts_although_its_client_has_left(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    customer = ("license", vendor.license().license_id.reveal())

    def guess() -> int:
        with locked_licenses(), ThreadPoolExecutor(40) as threads:
            for _ in range(40):
                threads.submit(leave, busy_edge, f"x:{PASSWORD}", "203.0.113.27", 1)
        time.sleep(1)
        return ask(busy_edge, "203.0.113.27", customer)

    assert within_a_minute(guess) == 429
    assert ask(busy_edge, "203.0.113.28", customer) == 200


def leave(edge: EdgeClient, login: str, address: str, after_seconds: float = 0) -> None:
    """Ask for a token, and close the connection."""
    host, _, port = edge.host.partition(":")
    basic = b64encode(login.encode()).decode()
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            f"GET /v2/token?service=berth-proxy HTTP/1.1\r\nHost: {host}\r\n"
            f"X-Forwarded-For: {address}\r\n"
            f"Authorization: Basic {basic}\r\n\r\n".encode()
        )
        time.sleep(after_seconds)


@contextmanager
def locked_licenses() -> Iterator[None]:
    """Let all look-ups wait during a block."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE licenses_license IN ACCESS EXCLUSIVE MODE")
        yield


def scopes(vendor: Vendor, number: int) -> str:
    name = f"proxy/{vendor.application.slug}/sample/my-org"
    return "".join(f"&scope=repository:{name}/{item}:pull" for item in range(number))


def test_a_customer_gets_a_token_while_a_license_does_its_worst(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    vendor.connect("registry.example.com", "sample")
    greedy = ("license", vendor.license().license_id.reveal())

    with ThreadPoolExecutor(60) as threads:
        asked = [
            threads.submit(ask, busy_edge, "203.0.113.22", greedy, scopes(vendor, 20))
            for _ in range(240)
        ]
        time.sleep(0.3)
        seconds = customer_seconds(busy_edge, vendor)
        statuses = Counter(future.result() for future in asked)

    assert max(seconds) < PATIENCE
    assert statuses == {200: 240}


def test_scopes_of_one_request_are_limited(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    greedy = ("license", vendor.license().license_id.reveal())

    assert ask(busy_edge, "203.0.113.23", greedy, scopes(vendor, 21)) == 400


def test_a_large_cluster_gets_its_tokens_at_once(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    """A thousand nodes with one license, which all pull at the same moment."""
    cluster = ("license", vendor.license().license_id.reveal())

    with ThreadPoolExecutor(200) as threads:
        answers = threads.map(
            lambda _: ask(busy_edge, "203.0.113.24", cluster, scopes(vendor, 1)),
            range(1000),
        )
        statuses = Counter(answers)

    assert statuses == {200: 1000}


@contextmanager
def frozen(process: ManagedProcess) -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_frozen_redis_delays_no_token_for_long_and_forgets_no_guess(
    busy_edge: EdgeClient, vendor: Vendor, valkey: tuple[ManagedProcess, str]
) -> None:
    license_id = vendor.license().license_id.reveal()

    def login(_: int) -> float:
        started = time.monotonic()
        assert ask(busy_edge, "203.0.113.25", ("license", license_id)) == 200
        return time.monotonic() - started

    def guess() -> list[int]:
        return [ask(busy_edge, "203.0.113.26", ("x", "wrong")) for _ in range(20)]

    def guess_before_and_after() -> tuple[list[int], list[int], list[float]]:
        before = guess()
        with frozen(valkey[0]), ThreadPoolExecutor(100) as threads:
            seconds = list(threads.map(login, range(300)))
            after = guess()
        return before, after, seconds

    before, after, seconds = within_a_minute(guess_before_and_after)
    warnings = busy_edge.log.read_text().count("Redis is unavailable")

    assert set(before) == {401}
    assert after[-1] == 429
    assert max(seconds) < PATIENCE
    assert 1 <= warnings <= 5


def test_a_customer_s_pull_is_decided_while_a_license_asks_for_everything(
    busy_edge: EdgeClient, vendor: Vendor
) -> None:
    slug = vendor.application.slug
    token, own = (
        busy_edge.token(vendor.license().license_id.reveal(), f"proxy/{slug}/none/it")
        for _ in range(2)
    )

    def pull(number: int) -> int:
        name = f"proxy/{slug}/nowhere/repository-{number}"
        return busy_edge.get(name, "manifests/v1", token).status

    with ThreadPoolExecutor(200) as threads:
        asked = [threads.submit(pull, number) for number in range(800)]
        time.sleep(0.5)
        seconds = []
        for number in range(5):
            started = time.monotonic()
            answer = busy_edge.get(f"proxy/{slug}/mine/{number}", "manifests/v1", own)
            assert answer.error[0] == "DENIED"
            seconds.append(time.monotonic() - started)
        statuses = Counter(future.result() for future in asked)

    assert max(seconds) < PATIENCE
    assert statuses == {401: 800}
