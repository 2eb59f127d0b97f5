"""An object is fetched once for all who wait, and kept only if its bytes are right."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from oci.media_types import OCI_MANIFEST
from tests.e2e.edge.cache.conftest import REPOSITORY, Customer
from tests.e2e.edge.conftest import eventually
from tests.support.objects.bodies import random_bytes
from tests.support.objects.object_registry import ObjectRegistry, Stored

MIB = 2**20
LARGE = random_bytes(1, 3 * MIB + 17)
SMALL = b'{"small": true}'
CLIENTS = 24


@pytest.mark.parametrize("body", [LARGE, SMALL, b""], ids=["large", "small", "empty"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_many_clients_cause_one_fetch(
    customer: Customer, origin: ObjectRegistry, body: bytes, is_chunked: bool
) -> None:
    digest = origin.add(REPOSITORY, body)
    origin.is_chunked = is_chunked
    origin.pause_after = 0
    with ThreadPoolExecutor(CLIENTS) as threads:
        asked = [threads.submit(customer.blob, digest) for _ in range(CLIENTS)]
        eventually(lambda: origin.sending == 1 or not body, "nobody asks")
        origin.go.set()
        answers = [item.result() for item in asked]
    customer.until_kept(digest)
    again = customer.blob(digest)

    assert {answer.status for answer in [*answers, again]} == {200}
    assert {answer.body for answer in [*answers, again]} == {body}
    assert again.headers["Docker-Content-Digest"] == digest
    assert again.headers["Content-Type"] == "application/octet-stream"
    assert again.headers["Content-Length"] == str(len(body))
    assert origin.times(digest) == 1
    assert len(customer.kept) == 1


def test_a_slow_client_does_not_hold_others_up(
    customer: Customer, origin: ObjectRegistry
) -> None:
    body = random_bytes(2, 32 * MIB)
    digest = origin.add(REPOSITORY, body)
    slow = customer.open(f"blobs/{digest}")
    assert slow.read(1000) == body[:1000]

    assert customer.blob(digest).body == body
    customer.until_kept(digest)
    assert slow.read() == body[1000:]
    assert origin.times(digest) == 1


def test_a_client_that_leaves_ends_only_its_own_download(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    origin.pause_after = MIB
    leaving, staying = (customer.open(f"blobs/{digest}") for _ in range(2))
    assert leaving.read(1000) == LARGE[:1000]

    leaving.close()
    origin.go.set()

    assert staying.read() == LARGE
    assert origin.times(digest) == 1


def test_a_fetch_that_nobody_waits_for_ends(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    origin.pause_after = MIB
    leaving = customer.open(f"blobs/{digest}")
    assert leaving.read(1000) == LARGE[:1000]

    leaving.close()
    eventually(lambda: not list((customer.root / "tmp").iterdir()), "it is still there")
    origin.reset_pace()

    assert customer.kept == []
    assert customer.blob(digest).body == LARGE
    assert origin.times(digest) == 2


WRONG = {
    "flipped": b"X" + LARGE[1:],
    "flipped-at-the-end": LARGE[:-1] + bytes([LARGE[-1] ^ 1]),
    "short": LARGE[:-1],
    "long": LARGE + b"!",
    "empty": b"",
    "small": b"not the blob",
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_a_wrong_body_is_never_finished_nor_kept(
    customer: Customer, origin: ObjectRegistry, kind: str, is_chunked: bool
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    origin.objects[REPOSITORY, digest] = Stored("application/octet-stream", WRONG[kind])
    origin.is_chunked = is_chunked

    for _ in range(2):
        assert_not_finished(customer, digest, WRONG[kind])

    assert customer.kept == []
    origin.objects[REPOSITORY, digest] = Stored("application/octet-stream", LARGE)
    assert customer.blob(digest).body == LARGE
    assert "is not kept: sent other bytes" in customer.edge.log.read_text()


def assert_not_finished(customer: Customer, digest: str, sent: bytes) -> None:
    response = customer.open(f"blobs/{digest}")
    if response.status == 502:
        return
    got = b""
    with pytest.raises(urllib3.exceptions.ProtocolError):  # noqa: PT012 -- reads on
        while piece := response.read(65536):
            got += piece
    assert sent.startswith(got)
    assert len(got) < max(1, len(sent))


@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_that_breaks_off_is_not_finished_nor_kept(
    customer: Customer, origin: ObjectRegistry, is_chunked: bool
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    origin.is_chunked = is_chunked
    origin.cut_after = 2 * MIB

    with pytest.raises(urllib3.exceptions.ProtocolError):
        customer.blob(digest)
    assert customer.kept == []
    origin.cut_after = None

    assert customer.blob(digest).body == LARGE


def test_a_wrong_manifest_is_a_sentence(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, SMALL, OCI_MANIFEST)
    origin.objects[REPOSITORY, digest] = Stored(OCI_MANIFEST, SMALL + b" ")

    answer = customer.get(f"manifests/{digest}")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert "sent other bytes than the digest promises" in answer.error[1]
    assert customer.kept == []


def test_manifests_keep_their_media_type(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, SMALL, OCI_MANIFEST)

    answers = [customer.get(f"manifests/{digest}") for _ in range(3)]
    customer.until_kept(digest)

    assert {answer.body for answer in answers} == {SMALL}
    assert {answer.headers["Content-Type"] for answer in answers} == {OCI_MANIFEST}
    assert origin.times(digest) == 1
    assert [path.name for path in customer.kept] == [f"{digest}.oci-manifest"]


def test_other_manifests_and_digests_are_passed_on(
    customer: Customer, origin: ObjectRegistry
) -> None:
    other = origin.add(REPOSITORY, SMALL, "application/vnd.example+json")
    sha512 = f"sha512:{hashlib.sha512(LARGE).hexdigest()}"
    origin.objects[REPOSITORY, sha512] = Stored("application/octet-stream", LARGE)
    wrong = f"sha512:{hashlib.sha512(SMALL).hexdigest()}"
    origin.objects[REPOSITORY, wrong] = Stored("application/octet-stream", LARGE)

    assert customer.get(f"manifests/{other}").body == SMALL
    assert customer.blob(sha512).body == LARGE
    assert_not_finished(customer, wrong, LARGE)

    assert customer.kept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_refusals_are_passed_on_and_not_kept(
    customer: Customer, origin: ObjectRegistry, status: int
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    origin.status = status

    refused = customer.blob(digest)
    origin.status = 0
    answer = customer.blob(digest)

    # The vendor's own credential is not the customer's business.
    expected = {401: 502, 403: 502, 500: 502, 503: 502}.get(status, status)
    assert refused.status == expected
    assert answer.body == LARGE


def test_a_cold_range_is_passed_on_and_not_kept(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, LARGE)

    answer = customer.blob(digest, Range="bytes=100-199")

    assert (answer.status, answer.body) == (206, LARGE[100:200])
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(LARGE)}"
    assert [item.range for item in origin.asked if item.range] == ["bytes=100-199"]
    assert customer.kept == []


def test_a_head_fetches_nothing(customer: Customer, origin: ObjectRegistry) -> None:
    digest = origin.add(REPOSITORY, LARGE)

    answer = customer.get(f"blobs/{digest}", "HEAD")

    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(LARGE)))
    assert origin.times(digest) == 0
    assert customer.kept == []


def test_files_of_a_fetch_belong_to_the_edge_alone(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    customer.blob(digest)
    customer.until_kept(digest)
    (path,) = customer.kept

    assert mode(path) == 0o444 & ~umask()
    assert mode(customer.root / "tmp") == 0o700
    assert list((customer.root / "tmp").iterdir()) == []


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("body", [LARGE, SMALL], ids=["large", "small"])
def test_a_part_that_nobody_asked_for_is_no_answer(
    customer: Customer, origin: ObjectRegistry, body: bytes
) -> None:
    """Nobody can tell whether its bytes are right."""
    digest = origin.add(REPOSITORY, body)
    origin.success = 206

    answer = customer.blob(digest)

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert body not in answer.body
    assert customer.kept == []


def test_a_coding_that_is_none_hides_no_wrong_bytes(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, SMALL)
    origin.objects[REPOSITORY, digest] = Stored("text/plain", b"wrong")
    origin.coding = "identity"

    # Of this type it is not kept.
    answer = customer.get(f"manifests/{digest}")

    assert answer.status == 502
    assert b"wrong" not in answer.body
