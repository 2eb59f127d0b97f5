"""What is counted of pulls, and how much of it is held in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from django.db import connection

from edge.cache.place import place_of
from edge.http import Request
from edge.proxy.route import parse_route
from edge.pull_counter import PullCounter, PulledImage
from edge.threads import DatabaseThreads
from oci.index import MAX_INDEX_BYTES
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.pull import AllowedPull, Denied
from registries.models import CacheUse, LicenseTraffic, PullEvent
from registries.models.outcomes import Reason
from tests.support.rows.factories import CredentialFactory, LicenseFactory
from tests.support.rows.facts import connected_registry

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
    return Denied(
        Reason.LICENSE_REVOKED, "Revoked.", (), license.team_id, subject, license.pk
    )


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


class Answer(NamedTuple):
    """What the edge sends for a request that it allowed."""

    method: str
    reference: str
    digest: str = ""
    kind: str = OCI_MANIFEST
    body: bytes | None = b"{}"
    status: int = 200
    warning: str = ""
    is_hit: bool = False


async def answer(counter: PullCounter, allowed: AllowedPull, sent: Answer) -> Request:
    async def send(_: object) -> None:
        pass

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    request = Request({"method": sent.method, "headers": []}, receive, send)
    counter.name_in_log(allowed, request)
    request.is_hit = sent.is_hit
    headers = [("Content-Type", sent.kind), ("Docker-Content-Digest", sent.digest)]
    headers += [("Warning", sent.warning)] if sent.warning else []
    if sent.body is None:
        await request.start(sent.status, headers)
        await request.send_chunk(b"x" * 10, more=False)
    else:
        await request.answer(sent.status, headers, sent.body)
    counter.count_answer(allowed, image(sent.reference), request)
    counter.count_bytes(allowed, request)
    return request


@pytest.fixture
def allowed() -> AllowedPull:
    license = LicenseFactory()
    registry_id = CredentialFactory(registry__team=license.team).registry_id
    registry = replace(connected_registry(), id=registry_id, team_id=license.team_id)
    subject = Subject(SubjectKind.LICENSE, license.pk)
    return AllowedPull(
        license.team_id, subject, "my-org/api", (), registry, license_id=license.pk
    )


INDEX, CHILD = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
INDEX_BODY = b'{"manifests": [{"digest": "%s"}]}' % CHILD.encode()


def test_an_index_and_its_child_are_one_pull_and_bytes_add_up(
    counter: PullCounter, allowed: AllowedPull
) -> None:
    async def pull() -> None:
        await answer(counter, allowed, Answer("HEAD", "v1", INDEX, OCI_INDEX, b""))
        await answer(
            counter, allowed, Answer("GET", INDEX, INDEX, OCI_INDEX, INDEX_BODY)
        )
        await answer(counter, allowed, Answer("GET", CHILD, CHILD))
        await counter.write()

    asyncio.run(pull())
    asyncio.run(pull())

    event = PullEvent.objects.get()
    assert (event.reference, event.outcome, event.count) == ("v1", "allowed", 2)
    traffic = LicenseTraffic.objects.get()
    assert traffic.bytes == 2 * (len(INDEX_BODY) + len(b"{}"))
    assert traffic.license_id == event.license_id


def test_pulls_answered_while_the_registry_is_unavailable_are_counted_as_such(
    counter: PullCounter, allowed: AllowedPull
) -> None:
    stale = Answer("GET", "v1", CHILD, warning='110 - "Response is Stale"')
    asyncio.run(answer(counter, allowed, stale))
    asyncio.run(answer(counter, allowed, Answer("GET", "v1", CHILD)))
    # As docker asks, and finds the digest on disk.
    asyncio.run(answer(counter, allowed, stale._replace(method="HEAD")))
    asyncio.run(answer(counter, allowed, Answer("GET", CHILD, CHILD)))
    asyncio.run(counter.write())

    event = PullEvent.objects.get()
    assert (event.count, event.stale) == (3, 2)
    assert CacheUse.objects.get().stale_pulls == 2


def test_an_answer_that_fails_counts_nothing_and_a_broken_one_its_bytes(
    counter: PullCounter, allowed: AllowedPull
) -> None:
    asyncio.run(answer(counter, allowed, Answer("GET", "v1", status=404)))
    asyncio.run(counter.write())
    assert not LicenseTraffic.objects.exists()
    asyncio.run(answer(counter, allowed, Answer("GET", "v1", body=None)))
    asyncio.run(counter.write())

    assert LicenseTraffic.objects.get().bytes == 10
    assert PullEvent.objects.get().count == 1


def test_with_nginxs_log_the_edge_counts_refusals_alone(
    counter: PullCounter, allowed: AllowedPull, denied: Denied, settings: Any
) -> None:
    settings.BERTH_PULL_LOG = "/var/log/nginx/berth-pulls.log"
    request = asyncio.run(answer(counter, allowed, Answer("GET", "v1", CHILD)))
    counter.count(denied, image("v1"), "GET")
    counter.count(allowed, image("v1"), "GET", "unreachable")
    asyncio.run(counter.write())

    headers = request.sent.headers
    assert headers["x-berth-pull"] == (
        f"{allowed.team_id} {allowed.subject} {allowed.registry.id} "
        f"{allowed.license_id}"
    )
    assert headers["x-berth-place"] == str(place_of(allowed))
    assert "x-berth-cache" not in headers
    hit = asyncio.run(answer(counter, allowed, Answer("GET", "v1", is_hit=True)))
    assert hit.sent.headers["x-berth-cache"] == "hit"
    outcomes = PullEvent.objects.order_by("outcome").values_list("outcome", "count")
    assert list(outcomes) == [("license_revoked", 1), ("registry_unreachable", 1)]
    assert not LicenseTraffic.objects.exists()


def test_clients_do_not_see_the_header_of_the_log_without_one(
    counter: PullCounter, allowed: AllowedPull
) -> None:
    sent = Answer("GET", "v1", CHILD, is_hit=True)
    request = asyncio.run(answer(counter, allowed, sent))

    assert not [name for name in request.sent.headers if name.startswith("x-berth")]


def test_an_edge_with_a_cache_counts_its_use(
    counter: PullCounter, allowed: AllowedPull, settings: Any
) -> None:
    asyncio.run(answer(counter, allowed, Answer("GET", "v1", body=None)))
    settings.BERTH_CACHE_DIR = "/var/cache/berth"
    for is_hit in (True, True, False):
        sent = Answer("GET", "v1", body=None, is_hit=is_hit)
        asyncio.run(answer(counter, allowed, sent))
    asyncio.run(answer(counter, allowed, Answer("HEAD", "v1")))
    asyncio.run(counter.write())

    use = CacheUse.objects.get()
    assert (use.hits, use.misses, use.bytes) == (2, 1, 20)
    assert (use.registry_id, use.team_id) == (allowed.registry.id, allowed.team_id)


def test_the_children_of_an_index_sent_in_parts_are_known(
    counter: PullCounter, allowed: AllowedPull
) -> None:
    sent = Answer("GET", INDEX, INDEX, OCI_INDEX, INDEX_BODY)
    request = asyncio.run(answer(counter, allowed, sent))
    assert request.sent.index == bytearray(INDEX_BODY)
    large = Answer("GET", INDEX, INDEX, OCI_INDEX, b" " * 3 * MAX_INDEX_BYTES)
    request = asyncio.run(answer(counter, allowed, large))

    assert MAX_INDEX_BYTES < len(request.sent.index or b"") < 2 * MAX_INDEX_BYTES
