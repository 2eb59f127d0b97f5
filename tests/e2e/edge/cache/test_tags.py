"""Tags are confirmed by the upstream, and outlive it for a while."""

from __future__ import annotations

import hashlib
import time

import pytest

from licenses.services import revoke_license
from oci.media_types import DOCKER_MANIFEST, OCI_MANIFEST
from tests.e2e.edge.cache.conftest import REPOSITORY, STALE_SECONDS, Customer
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import Answer
from tests.support.objects.object_registry import ObjectRegistry, Stored

FIRST, SECOND = b'{"manifest": 1}', b'{"manifest": 2}'
TAG = "manifests/v1"
HOUR = 3600
STALE = '110 - "Response is Stale"'


@pytest.fixture
def digest(customer: Customer, origin: ObjectRegistry) -> str:
    """The digest of a tag that was pulled."""
    tagged = origin.tag(REPOSITORY, "v1", FIRST)
    assert customer.get(TAG).body == FIRST
    customer.until_tagged(tagged)
    return tagged


@pytest.fixture
def confirmed(customer: Customer, digest: str) -> str:
    """The digest of a tag that the upstream confirmed a moment ago."""
    customer.age_tags(HOUR)
    assert customer.get(TAG).body == FIRST
    customer.until_confirmed()
    return digest


def is_stale(answer: Answer) -> bool:
    return answer.headers.get("Warning") == STALE


def test_a_tag_that_means_the_same_comes_from_disk(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    answers = [customer.get(TAG) for _ in range(3)]

    for answer in answers:
        assert (answer.status, answer.body) == (200, FIRST)
        assert answer.headers["Content-Type"] == OCI_MANIFEST
        assert answer.headers["Docker-Content-Digest"] == digest
        assert not is_stale(answer)
    assert (origin.times("v1"), origin.times("v1", "HEAD")) == (1, 3)
    # The manifest is known by its digest, too.
    assert customer.get(f"manifests/{digest}").body == FIRST
    assert origin.times(digest) == 0


def test_a_tag_that_moved_is_fetched_again(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    moved = origin.tag(REPOSITORY, "v1", SECOND)

    first = customer.get(TAG)
    customer.until_tagged(moved)
    second = customer.get(TAG)

    assert [first.body, second.body] == [SECOND] * 2
    assert second.headers["Docker-Content-Digest"] == moved
    assert origin.times("v1") == 2


def test_a_tag_that_moved_within_a_second_is_asked_for_once(
    customer: Customer, origin: ObjectRegistry, confirmed: str
) -> None:
    moved = origin.tag(REPOSITORY, "v1", SECOND)
    origin.asked.clear()

    first = customer.get(TAG)
    customer.until_tagged(moved)
    second = customer.get(TAG)

    assert [first.body, second.body] == [SECOND] * 2
    assert (origin.times("v1"), origin.times("v1", "HEAD")) == (1, 2)


def test_a_registry_that_knows_no_head_is_asked_as_before(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    origin.head_status = 405

    assert customer.get(TAG).body == FIRST

    assert (origin.times("v1"), origin.times("v1", "HEAD")) == (2, 1)


def test_a_deleted_tag_is_gone(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    del origin.objects[REPOSITORY, "v1"]

    answer = customer.get(TAG)

    assert (answer.status, answer.error[0]) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_refusals_of_the_upstream_are_not_hidden(
    customer: Customer, origin: ObjectRegistry, digest: str, status: int
) -> None:
    origin.status = status

    answers = [customer.get(TAG), customer.get(TAG, "HEAD")]

    expected = 502 if status in {401, 403} else status
    assert [answer.status for answer in answers] == [expected] * 2
    assert not any(map(is_stale, answers))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_while_the_upstream_is_down_the_last_answer_serves(
    customer: Customer, origin: ObjectRegistry, digest: str, status: int
) -> None:
    origin.status = status

    answer, head = customer.get(TAG), customer.get(TAG, "HEAD")

    assert (answer.status, answer.body) == (200, FIRST)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(FIRST)))
    for item in (answer, head):
        assert is_stale(item)
        assert item.headers["Docker-Content-Digest"] == digest
        assert item.headers["Content-Type"] == OCI_MANIFEST
    origin.status = 0
    assert not is_stale(customer.get(TAG))


def test_an_upstream_without_an_answer_is_down_too(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    origin.is_silent = True
    started = time.monotonic()

    answer = customer.get(TAG)

    assert (answer.body, is_stale(answer)) == (FIRST, True)
    # Not for the ten seconds that a registry may take.
    assert time.monotonic() - started < 9
    origin.reset_pace()
    assert not is_stale(customer.get(TAG))


def test_an_upstream_without_a_connection_is_down_too(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    origin.refuse_connections()

    answer = customer.get(TAG)
    by_digest = customer.get(f"manifests/{digest}")

    assert (answer.body, is_stale(answer)) == (FIRST, True)
    assert (by_digest.body, is_stale(by_digest)) == (FIRST, False)


def test_an_upstream_that_breaks_off_its_answer_is_down_too(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    moved = origin.tag(REPOSITORY, "v1", SECOND)
    origin.cut_after = 0

    broken_off = customer.get(TAG)
    origin.reset_pace()
    origin.named_digest = f"sha256:{'0' * 64}"
    wrong = customer.get(TAG)

    for answer in (broken_off, wrong):
        assert (answer.status, answer.body, is_stale(answer)) == (200, FIRST, True)
    assert not customer.is_kept(moved)
    origin.named_digest = ""
    answer = customer.get(TAG)
    assert (answer.body, is_stale(answer)) == (SECOND, False)


def test_a_tag_that_was_just_confirmed_outlives_its_upstream(
    customer: Customer, origin: ObjectRegistry, confirmed: str
) -> None:
    origin.asked.clear()
    origin.status = 503
    away = customer.get(TAG)
    origin.status = 0
    origin.tag(REPOSITORY, "v1", SECOND)
    origin.cut_after = 0
    broken_off = customer.get(TAG)

    for answer in (away, broken_off):
        assert (answer.status, answer.body, is_stale(answer)) == (200, FIRST, True)
        assert answer.headers["Docker-Content-Digest"] == confirmed
    assert (origin.times("v1"), origin.times("v1", "HEAD")) == (1, 2)


def test_the_last_answer_does_not_serve_for_ever(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    origin.status = 503
    time.sleep(STALE_SECONDS + 1)

    answers = [customer.get(TAG), customer.get(TAG, "HEAD")]

    assert [answer.status for answer in answers] == [502, 502]
    # Its digest has no such limit.
    assert customer.get(f"manifests/{digest}").body == FIRST
    origin.status = 0
    assert customer.get(TAG).body == FIRST
    origin.status = 503
    eventually(lambda: is_stale(customer.get(TAG)), "it was not confirmed")


def test_a_head_is_remembered_for_clients_that_then_ask_by_digest(
    customer: Customer, origin: ObjectRegistry
) -> None:
    tagged = origin.tag(REPOSITORY, "v1", FIRST)
    assert customer.get(TAG, "HEAD").headers["Docker-Content-Digest"] == tagged
    assert customer.get(f"manifests/{tagged}").body == FIRST
    customer.until_kept(tagged)
    customer.until_tagged(tagged)
    origin.status = 503

    answer = customer.get(TAG)

    assert (answer.body, is_stale(answer)) == (FIRST, True)


def test_a_type_that_the_client_does_not_accept_is_no_answer(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    origin.status = 503

    assert customer.get(TAG, Accept=DOCKER_MANIFEST).status == 502
    assert customer.get(TAG, Accept=f"{DOCKER_MANIFEST}, {OCI_MANIFEST}").status == 200


def test_a_revoked_license_gets_no_stale_answer(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    other = Customer(customer.edge, customer.vendor, customer.root)
    revoke_license(actor=customer.vendor.actor, license=other.license, reason="test")
    origin.status = 503

    assert other.get(TAG).status == 401
    assert customer.get(TAG).status == 200


def test_a_broken_manifest_on_disk_is_fetched_again(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    (path,) = customer.kept
    path.chmod(0o644)
    path.write_bytes(SECOND)

    assert customer.get(TAG).body == FIRST

    assert origin.times("v1") == 2


def test_a_manifest_that_differs_from_its_header_is_refused(
    customer: Customer, origin: ObjectRegistry
) -> None:
    origin.tag(REPOSITORY, "v1", FIRST)
    origin.named_digest = f"sha256:{hashlib.sha256(SECOND).hexdigest()}"

    answer = customer.get(TAG)

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert customer.kept == []


def test_manifests_of_other_types_are_passed_on(
    customer: Customer, origin: ObjectRegistry
) -> None:
    other = "application/vnd.example+json"
    origin.objects[REPOSITORY, "v1"] = Stored(other, FIRST)

    answers = [customer.get(TAG) for _ in range(2)]

    assert {answer.headers["Content-Type"] for answer in answers} == {other}
    assert origin.times("v1") == 2
    assert customer.kept == []


def test_a_client_that_takes_few_types_decides_for_no_other(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    """A registry that has an index answers it with the manifest of one platform."""
    origin.tag(REPOSITORY, "v1", SECOND)
    assert customer.get(TAG, accept=OCI_MANIFEST).body == SECOND
    origin.status = 500

    answer = customer.get(TAG)

    assert (answer.status, answer.body) == (200, FIRST)
    assert is_stale(answer)


@pytest.mark.parametrize("warning", [STALE, '299 - "Deprecated"'])
def test_only_the_edge_says_that_an_answer_is_stale(
    customer: Customer, origin: ObjectRegistry, warning: str
) -> None:
    """It is counted as an outage of the registry."""
    origin.tag(REPOSITORY, "v1", FIRST)
    origin.warning = warning

    answer = customer.get(TAG)

    assert (answer.status, answer.body) == (200, FIRST)
    assert answer.headers.get("Warning") == (None if warning == STALE else warning)
