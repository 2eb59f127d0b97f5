"""What is counted of pulls, and how much of it is held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from django.db import connection

from edge.proxy.pull_counter import MAX_KINDS_OF_HOLDER, PullCounter
from edge.proxy.route import Route, parse_route
from edge.threads import DatabaseThreads
from registries.authorization import Denied, Reason
from registries.models import PullEvent
from registries.pull_credentials import Subject, SubjectKind
from tests.support.factories import LicenseFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter() -> Iterator[PullCounter]:
    threads = DatabaseThreads(1)
    yield PullCounter(threads)
    # Whose connection would keep the database from being deleted.
    asyncio.run(threads.call(_close_connection))
    asyncio.run(threads.close())


def _close_connection() -> None:
    connection.close()  # of the thread that calls this


@pytest.fixture
def denied() -> Denied:
    license = LicenseFactory()
    subject = Subject(SubjectKind.LICENSE, license.pk)
    return Denied(Reason.LICENSE_REVOKED, "Revoked.", (), license.team_id, subject)


def route(tag: str) -> Route:
    return parse_route(f"/v2/proxy/my-app/sample/my-org/api/manifests/{tag}")


def test_a_refusal_at_head_and_get_is_one(counter: PullCounter, denied: Denied) -> None:
    for method in ("HEAD", "GET", "HEAD"):
        counter.count(denied, route("v1"), method)
    asyncio.run(counter.write())
    counter.count(denied, route("v1"), "GET")  # of the second HEAD, written before
    asyncio.run(counter.write())

    event = PullEvent.objects.get()
    assert (event.outcome, event.count) == ("license_revoked", 2)


def test_nobody_fills_the_memory_with_names_of_their_choice(
    counter: PullCounter, denied: Denied
) -> None:
    for number in range(3 * MAX_KINDS_OF_HOLDER):
        counter.count(denied, route(f"v{number}"), "HEAD")

    assert sum(len(heads) for heads in counter._at_head) <= MAX_KINDS_OF_HOLDER + 1
    asyncio.run(counter.write())
    counts = PullEvent.objects.values_list("count", flat=True)
    assert len(counts) <= MAX_KINDS_OF_HOLDER + 1
    assert sum(counts) == 3 * MAX_KINDS_OF_HOLDER
