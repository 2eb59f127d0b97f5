"""What is on disk is served to those whom the live decision allows, and no others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from licenses.services import revoke_license
from portal.crypto.secrets import Secret
from registries.models import ExternalRegistry
from registries.services import NewCredential, draft_credential, replace_credential
from tests.e2e.edge.cache.conftest import REPOSITORY, Customer
from tests.support.objects.bodies import random_bytes
from tests.support.objects.object_registry import ObjectRegistry
from tests.support.rows.vendor import create_vendor

MIB = 2**20
BODY = random_bytes(3, 2 * MIB + 11)


@pytest.fixture
def digest(customer: Customer, origin: ObjectRegistry) -> str:
    """A blob that is on disk."""
    stored = origin.add(REPOSITORY, BODY)
    assert customer.blob(stored).body == BODY
    customer.until_kept(stored)
    return stored


@pytest.mark.parametrize(
    ("wanted", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=1000000-", 1_000_000, len(BODY)),
        ("bytes=-11", len(BODY) - 11, len(BODY)),
        (f"bytes=5-{len(BODY) * 2}", 5, len(BODY)),
    ],
)
def test_ranges_come_from_disk(
    customer: Customer,
    origin: ObjectRegistry,
    digest: str,
    wanted: str,
    begin: int,
    end: int,
) -> None:
    answer = customer.blob(digest, Range=wanted)

    assert (answer.status, answer.body) == (206, BODY[begin:end])
    place = f"bytes {begin}-{end - 1}/{len(BODY)}"
    assert answer.headers["Content-Range"] == place
    assert answer.headers["Content-Length"] == str(end - begin)
    assert origin.times(digest) == 1


def test_conditions_are_answered_from_disk(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    etag = customer.get(f"blobs/{digest}", "HEAD").headers["ETag"]

    outside = customer.blob(digest, Range=f"bytes={len(BODY)}-")
    known = customer.blob(digest, If_None_Match=etag)
    same = customer.blob(digest, Range="bytes=0-9", If_Range=etag)
    other = customer.blob(digest, Range="bytes=0-9", If_Range='"another"')

    assert (outside.status, outside.error[0]) == (416, "RANGE_INVALID")
    assert outside.headers["Content-Range"] == f"bytes */{len(BODY)}"
    assert (known.status, known.body) == (304, b"")
    assert (same.status, same.body) == (206, BODY[:10])
    assert (other.status, other.body) == (200, BODY)
    assert (origin.times(digest), origin.times(digest, "HEAD")) == (1, 0)


def test_it_is_served_while_the_upstream_is_down(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    for status in (401, 403, 404, 429, 500):
        origin.status = status
        assert customer.blob(digest).body == BODY
    assert origin.times(digest) == 1


def write(path: Path, body: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(body)


def replace(path: Path, body: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(body)
    other.rename(path)


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, MIB)


CHANGES: dict[str, Callable[[Path], None]] = {
    "truncated": truncate,
    "flipped": lambda path: write(path, b"X" + BODY[1:]),
    "emptied": lambda path: write(path, b""),
    "written again": lambda path: write(path, BODY),
    "replaced": lambda path: replace(path, b"X" + BODY[1:]),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_broken_file_is_fetched_again(
    customer: Customer, origin: ObjectRegistry, digest: str, change: str
) -> None:
    (path,) = customer.kept
    CHANGES[change](path)

    answers = [customer.blob(digest) for _ in range(2)]
    customer.until_kept(digest)

    assert [answer.body for answer in answers] == [BODY] * 2
    assert origin.times(digest) == 2
    assert path.read_bytes() == BODY
    assert path.stat().st_mtime_ns == 10**9


@pytest.mark.parametrize("change", ["truncated", "flipped", "emptied"])
def test_a_file_that_changes_while_it_is_sent_is_not_finished(
    customer: Customer, origin: ObjectRegistry, change: str
) -> None:
    body = random_bytes(4, 32 * MIB)
    digest = origin.add(REPOSITORY, body)
    customer.blob(digest)
    customer.until_kept(digest)
    (path,) = customer.kept
    response = customer.open(f"blobs/{digest}")
    got = response.read(1000)

    changed = {
        "truncated": lambda: truncate(path),
        "flipped": lambda: flip_the_end(path),
        "emptied": lambda: write(path, b""),
    }
    changed[change]()

    with pytest.raises(urllib3.exceptions.ProtocolError):
        got += response.read()
    assert customer.blob(digest).body == body


def flip_the_end(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(b"X")


def test_a_revoked_license_gets_nothing_from_a_full_cache(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    other = Customer(customer.edge, customer.vendor, customer.root)
    revoke_license(actor=customer.vendor.actor, license=other.license, reason="test")

    denied = other.blob(digest)

    assert (denied.status, denied.error[0]) == (401, "DENIED")
    assert customer.blob(digest).body == BODY


def test_another_teams_registry_answers_for_itself(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    other = create_vendor()
    # The same registry, but an account that may not read this blob.
    other.connect(f"localhost:{origin.port}", "origin")
    stranger = Customer(customer.edge, other, customer.root)
    del origin.objects[REPOSITORY, digest]

    unknown = stranger.blob(digest)

    assert (unknown.status, unknown.error[0]) == (404, "BLOB_UNKNOWN")
    assert customer.blob(digest).body == BODY
    assert origin.times(digest) == 2


def test_another_repository_answers_for_itself(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    elsewhere = Customer(
        customer.edge, customer.vendor, customer.root, repository="org/other"
    )

    assert elsewhere.blob(digest).status == 404
    assert customer.blob(digest).body == BODY


def test_a_replaced_credential_reaches_nothing_old(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    vendor = customer.vendor
    registry = ExternalRegistry.objects.get(team=vendor.team)
    new = NewCredential("password", "new", Secret("newer"))
    draft = draft_credential(actor=vendor.actor, registry=registry, new=new)
    replace_credential(actor=vendor.actor, draft=draft, result=None)
    fresh = Customer(customer.edge, vendor, customer.root)
    origin.status = 404

    assert fresh.blob(digest).status == 404
    origin.status = 0
    assert fresh.blob(digest).body == BODY
    assert origin.times(digest) == 3


def test_changed_patterns_reach_nothing_old(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    registry = ExternalRegistry.objects.get(team=customer.vendor.team)
    registry.repository_patterns = ["org/*"]
    registry.save()
    fresh = Customer(customer.edge, customer.vendor, customer.root)

    assert fresh.blob(digest).body == BODY

    assert origin.times(digest) == 2


def test_another_license_shares_what_is_kept(
    customer: Customer, origin: ObjectRegistry, digest: str
) -> None:
    vendor = customer.vendor
    other = vendor.license()
    token = customer.edge.token(other.license_id.reveal(), customer.name)

    answer = customer.edge.get(customer.name, f"blobs/{digest}", token)

    assert answer.body == BODY
    assert origin.times(digest) == 1
