"""A login that asks for much, while it needs an answer itself."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from edge import fair_threads
from edge.http import Request
from edge.proxy.endpoint import _is_still_allowed
from edge.proxy.route import parse_route
from edge.services import EdgeServices, edge_services
from edge.threads import DatabaseThreads
from edge.token.endpoint import serve_token
from licenses.models import License
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.proxied_name import ProxiedName
from tests.support.rows.vendor import Vendor

SOON = 3
THREADS = 8  # as many as there may be of a kind
LINE = 2_000


@pytest.fixture
async def services(vendor: Vendor) -> AsyncIterator[EdgeServices]:
    async with edge_services() as services:
        yield services
        await close_connections(services.threads)
        await close_connections(services.download_threads)
        await close_connections(services.token_threads)


async def close_connections(threads: DatabaseThreads) -> None:
    """Close what would keep the database from being deleted."""
    await asyncio.gather(*(threads.call(close_connection) for _ in range(THREADS)))


def close_connection() -> None:
    sleep(0.2)  # so that each thread has one such call
    connection.close()  # of the thread that calls this


@contextmanager
def locked_registries() -> Iterator[None]:
    """Keep every decision waiting that reads the registries of an application."""
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


@asynccontextmanager
async def line(
    services: EdgeServices, application: str, subject: Subject
) -> AsyncIterator[None]:
    """Fill the line of a login with decisions that wait."""
    asked = [
        services.decisions.decide(subject, ProxiedName(application, "up", f"r/{item}"))
        for item in range(LINE)
    ]
    waiting = asyncio.gather(*asked, return_exceptions=True)
    await asyncio.sleep(0.5)
    try:
        yield
    finally:
        await waiting


async def test_a_download_is_decided_while_its_login_fills_its_line(
    services: EdgeServices, vendor: Vendor, subject: Subject
) -> None:
    # Another application's image is denied before any registry is read.
    route = parse_route(f"/v2/proxy/another/up/r/blobs/sha256:{'a' * 64}")

    with locked_registries():
        async with line(services, vendor.application.slug, subject):
            started = monotonic()

            assert not await _is_still_allowed(services, route, subject)

            assert monotonic() - started < SOON


@pytest.fixture
def license(vendor: Vendor) -> License:
    return vendor.license()


@pytest.fixture
def subject(license: License) -> Subject:
    return Subject(SubjectKind.LICENSE, license.pk)


async def test_a_token_request_waits_no_longer_than_it_says(
    services: EdgeServices, license: License, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_threads, "WHOLE_SECONDS", 1)
    password = license.license_id.reveal()
    others = [
        asyncio.ensure_future(
            services.token_threads.call_for(hash(password), partial(sleep, 3))
        )
        for _ in range(4)
    ]
    await asyncio.sleep(0.1)
    started = monotonic()

    with pytest.raises(OperationalError):
        await serve_token(token_request(password), services)

    assert monotonic() - started < SOON
    await asyncio.gather(*others, return_exceptions=True)


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
