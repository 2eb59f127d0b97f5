"""Guessing is limited by address, and using by login; nobody is locked out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import free_port
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.minutes import within_a_minute
from tests.support.rows.vendor import Vendor


@pytest.fixture
def limited_edge(
    ports: Ports, transactional_db: None, tmp_path: Path
) -> Iterator[EdgeClient]:
    """An edge that believes 127.0.0.1 to be a reverse proxy."""
    port = free_port()
    environment = edge_environment(ports) | {
        "BERTH_TOKEN_FAILURES_PER_MINUTE": "5",
        "BERTH_TOKEN_REQUESTS_PER_MINUTE": "8",
        "BERTH_TRUSTED_PROXIES": "127.0.0.1/32",
    }
    log = tmp_path / "edge.log"
    with start_edge(environment, port, log, "limited edge") as process:
        yield EdgeClient(f"localhost:{port}", process, log)


def login(
    edge: EdgeClient, password: str, address: str, name: str = "x", scopes: str = ""
) -> int:
    headers = urllib3.make_headers(basic_auth=f"{name}:{password}")
    headers["X-Forwarded-For"] = address
    path = f"/v2/token?service=berth-proxy{scopes}"
    return edge.request("GET", path, headers).status


def test_a_stranger_who_guesses_is_stopped_and_the_customer_is_not(
    limited_edge: EdgeClient, vendor: Vendor
) -> None:
    license_id = vendor.license().license_id.reveal()

    guesses = [login(limited_edge, "2" * 27, "203.0.113.9") for _ in range(20)]
    from_there = login(limited_edge, license_id, "203.0.113.9")
    from_elsewhere = login(limited_edge, license_id, "203.0.113.10")

    assert guesses[0] == 401
    assert guesses[-1] == 429
    assert from_there == 429
    assert from_elsewhere == 200


def test_guessing_passwords_of_an_account_does_not_lock_it(
    limited_edge: EdgeClient, vendor: Vendor
) -> None:
    email, password = vendor.owner.email, vendor.give_owner_a_password()

    guesses = [
        login(limited_edge, f"guess {number}", "203.0.113.11", email)
        for number in range(20)
    ]
    own = login(limited_edge, password, "203.0.113.12", email)

    assert guesses[-1] == 429
    assert own == 200


def test_right_passwords_are_limited_too_and_an_api_token_is_not(
    limited_edge: EdgeClient, vendor: Vendor
) -> None:
    email, password = vendor.owner.email, vendor.give_owner_a_password()
    _, secret = vendor.api_token()

    def ask() -> list[Answer]:
        headers = urllib3.make_headers(basic_auth=f"{email}:{password}")
        headers["X-Forwarded-For"] = "203.0.113.15"
        path = "/v2/token?service=berth-proxy"
        return [limited_edge.request("GET", path, headers) for _ in range(6)]

    answers = within_a_minute(ask)
    by_token = login(limited_edge, secret.reveal(), "203.0.113.15", email)

    assert [answer.status for answer in answers] == [200] * 5 + [429]
    refused = answers[-1]
    seconds = refused.headers["Retry-After"]
    assert refused.error[0] == "TOOMANYREQUESTS"
    assert refused.error[1] == (
        "Too many logins with an account password from this address. Use an API "
        f"token, or try again in {seconds} seconds."
    )
    assert by_token == 200


def test_one_login_may_not_ask_without_end(
    limited_edge: EdgeClient, vendor: Vendor
) -> None:
    busy = vendor.license().license_id.reveal()
    other = vendor.license().license_id.reveal()

    statuses = [login(limited_edge, busy, "203.0.113.13") for _ in range(30)]

    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert login(limited_edge, other, "203.0.113.13") == 200


def test_a_request_counts_once_for_each_scope(
    limited_edge: EdgeClient, vendor: Vendor
) -> None:
    def ask() -> list[int]:
        license_id = vendor.license().license_id.reveal()
        scopes = "".join(f"&scope=repository:proxy/a/b/{n}:pull" for n in range(3))
        return [
            login(limited_edge, license_id, "203.0.113.14", scopes=scopes)
            for _ in range(3)
        ]

    assert within_a_minute(ask) == [200, 200, 429]
