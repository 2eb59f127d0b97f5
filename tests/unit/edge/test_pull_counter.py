"""What is counted of pulls, and how much of it is held in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async

from edge.proxy.pull_counter import MAX_KINDS_OF_HOLDER, PullCounter
from edge.proxy.route import Route, parse_route
from edge.threads import DatabaseThreads
from registries.authorization import Denied, Reason
from registries.models import PullEvent
from registries.pull_credentials import Subject, SubjectKind
from tests.support.factories import LicenseFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def counter() -> AsyncIterator[PullCounter]:
    threads = DatabaseThreads(1)
    yield PullCounter(threads)
    await threads.close()


def route(tag: str) -> Route:
    return parse_route(f"/v2/proxy/my-app/sample/my-org/api/manifests/{tag}")


async def denied() -> Denied:
    license = await sync_to_async(LicenseFactory)()
    subject = Subject(SubjectKind.LICENSE, license.pk)
    return Denied(Reason.LICENSE_REVOKED, "Revoked.", (), license.team_id, subject)


async def test_a_refusal_at_head_and_get_is_one(counter: PullCounter) -> None:
    decision = await denied()
    for method in ("HEAD", "GET", "HEAD"):
        counter.count(decision, route("v1"), method)
    await counter.write()
    counter.count(decision, route("v1"), "GET")  # of the second HEAD, written before
    await counter.write()

    event = await PullEvent.objects.aget()
    assert (event.outcome, event.count) == ("license_revoked", 2)


async def test_nobody_fills_the_memory_with_names_of_their_choice(
    counter: PullCounter,
) -> None:
    decision = await denied()
    for number in range(3 * MAX_KINDS_OF_HOLDER):
        counter.count(decision, route(f"v{number}"), "HEAD")

    assert sum(len(heads) for heads in counter._at_head) <= MAX_KINDS_OF_HOLDER + 1
    await counter.write()
    counts = [event.count async for event in PullEvent.objects.all()]
    assert len(counts) <= MAX_KINDS_OF_HOLDER + 1
    assert sum(counts) == 3 * MAX_KINDS_OF_HOLDER
