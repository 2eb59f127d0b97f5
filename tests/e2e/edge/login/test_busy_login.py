"""A login that asks for much, while it needs an answer itself."""

from __future__ import annotations

import asyncio
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from edge import facts
from edge.http import Request
from edge.proxy.exchange import Exchange
from edge.proxy.route import parse_route
from edge.services import EdgeServices, edge_services
from edge.token.endpoint import serve_token
from licenses.models import License
from registries.decision.credentials import PullCredential, Subject, SubjectKind
from registries.decision.proxied_name import ProxiedName
from registries.decision.pull import AllowedPull
from registries.decision.query import FactsQuery
from tests.support.rows.facts import connected_registry
from tests.support.rows.vendor import Vendor

SOON = 3
LINE = 2_000


@pytest.fixture
async def services(vendor: Vendor) -> AsyncIterator[EdgeServices]:
    async with edge_services() as services:
        yield services


@contextmanager
def locked_registries() -> Iterator[None]:
    """Keep every decision waiting."""
    database = connection.settings_dict
    with psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        password=database["PASSWORD"],
        dbname=database["NAME"],
    ) as other:
        other.execute("LOCK TABLE registries_externalregistry")
        yield
        other.rollback()


def fill_line(
    services: EdgeServices, application: str, subject: Subject
) -> asyncio.Future[list[Any]]:
    """Ask for as many decisions as a login may."""
    asked = [
        services.decisions.decide(subject, ProxiedName(application, "up", f"r/{item}"))
        for item in range(LINE)
    ]
    return asyncio.gather(*asked, return_exceptions=True)


async def test_a_download_is_decided_while_its_login_fills_its_line(
    services: EdgeServices, vendor: Vendor, subject: Subject
) -> None:
    route = parse_route(f"/v2/proxy/another/up/r/blobs/sha256:{'a' * 64}")
    allowed = AllowedPull(vendor.team.pk, subject, "r", (), connected_registry())
    exchange = Exchange(token_request(""), services, route, allowed, {}, "")

    with locked_registries():
        line = fill_line(services, vendor.application.slug, subject)
        download = asyncio.ensure_future(exchange.is_still_allowed())
        await asyncio.sleep(0.5)
        assert not download.done()

    assert not await download
    assert not line.done()
    await line


async def test_a_stranger_with_many_passwords_leaves_room_for_others(
    services: EdgeServices, subject: Subject
) -> None:
    guesses: list[asyncio.Future[None]] = []

    async def ask(address: str, credential: PullCredential) -> None:
        await services.token_facts.fetch_for(
            hash(credential),
            FactsQuery(credential),
            other_turn=services.token_addresses.turn(address),
        )

    with locked_registries():
        guesses += [
            asyncio.ensure_future(
                ask("203.0.113.30", Subject(SubjectKind.LICENSE, uuid.uuid4()))
            )
            for _ in range(500)
        ]
        await asyncio.sleep(0.2)
        own = asyncio.ensure_future(ask("203.0.113.31", subject))
        await asyncio.sleep(0.2)
        # More may be done by the time that this test goes on: their order counts.
        order: list[asyncio.Future[None]] = []
        for asked in (*guesses, own):
            asked.add_done_callback(order.append)

    await asyncio.gather(own, *guesses)
    assert order.index(own) < 100


@pytest.fixture
def license(vendor: Vendor) -> License:
    return vendor.license()


@pytest.fixture
def subject(license: License) -> Subject:
    return Subject(SubjectKind.LICENSE, license.pk)


async def test_a_token_request_waits_no_longer_than_it_says(
    services: EdgeServices, license: License, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "WHOLE_SECONDS", 1)
    started = monotonic()

    with locked_registries(), pytest.raises(OperationalError):
        await serve_token(token_request(license.license_id.reveal()), services)

    assert monotonic() - started < SOON


def token_request(password: str) -> Request:
    async def receive() -> Any:
        await asyncio.sleep(60)  # the client waits

    async def send(message: Any) -> None:
        raise AssertionError(message)

    login = b64encode(f"license:{password}".encode())
    scope = {
        "method": "GET",
        "query_string": b"service=berth-proxy",
        "headers": [(b"authorization", b"Basic " + login)],
    }
    return Request(scope, receive, send)
