"""What is counted of pulls, and how much of it is held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from django.db import connection

from edge.proxy.route import parse_route
from edge.pull_counter import PullCounter, PulledImage
from edge.threads import DatabaseThreads
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.pull import Denied
from registries.models import PullEvent
from registries.models.outcomes import Reason
from tests.support.rows.factories import LicenseFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter() -> Iterator[PullCounter]:
    threads = DatabaseThreads(1, name="test")
    yield PullCounter(threads)
    # Whose connection would keep the database from being deleted.
    asyncio.run(threads.call(_close_connection))
    asyncio.run(threads.aclose())


def _close_connection() -> None:
    connection.close()  # of the thread that calls this


@pytest.fixture
def denied() -> Denied:
    license = LicenseFactory()
    subject = Subject(SubjectKind.LICENSE, license.pk)
    return Denied(Reason.LICENSE_REVOKED, "Revoked.", (), license.team_id, subject)


def image(tag: str) -> PulledImage | None:
    return parse_route(f"/v2/proxy/my-app/sample/my-org/api/manifests/{tag}").pulled


def test_a_refusal_at_head_and_get_is_one(counter: PullCounter, denied: Denied) -> None:
    for method in ("HEAD", "GET", "HEAD"):
        counter.count(denied, image("v1"), method)
    asyncio.run(counter.write())
    counter.count(denied, image("v1"), "GET")  # of the second HEAD, written before
    asyncio.run(counter.write())

    event = PullEvent.objects.get()
    assert (event.outcome, event.count) == ("license_revoked", 2)


def test_nobody_fills_the_memory_with_names_of_their_choice(
    counter: PullCounter, denied: Denied
) -> None:
    for number in range(300):
        counter.count(denied, image(f"v{number}"), "HEAD")

    assert sum(len(heads) for heads in counter._at_head) <= 101
    asyncio.run(counter.write())
    counts = PullEvent.objects.values_list("count", flat=True)
    assert len(counts) <= 101
    assert sum(counts) == 300


def test_the_private_registrys_pulls_are_apart_from_the_proxys(
    counter: PullCounter, denied: Denied
) -> None:
    for is_private in (True, False):
        counter.count(
            denied, PulledImage("my-app", "my-org/api", "", is_private), "GET"
        )
    asyncio.run(counter.write())

    private, proxied = PullEvent.objects.order_by("registry_id")
    assert (private.is_private, proxied.is_private) == (True, False)
    assert (private.registry_slug, proxied.registry_slug) == ("private-registry", "")
    assert private.image == proxied.image == "my-org/api"
    assert (private.count, proxied.count) == (1, 1)
