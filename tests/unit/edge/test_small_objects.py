"""The edge's memory of small answers is bounded in bytes and in time."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from edge.http import Request
from edge.proxy.route import parse_route
from edge.proxy.small_objects import (
    is_worth_keeping,
    small_object_key,
    small_objects,
)
from edge.proxy.stream import Whole
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.pull import AllowedPull
from tests.support.rows.facts import connected_registry

KIB = 1024
MIB = 1024 * KIB
DIGEST = "sha256:" + "a" * 64
CREDENTIAL, TEAM = uuid.uuid4(), uuid.uuid4()


def whole(size: int, digest: str = DIGEST) -> Whole:
    return Whole([("Content-Type", "a/b")], b"x" * size, digest)


def request(**headers: str) -> Request:
    async def unused(*_: Any) -> Any:
        raise AssertionError

    encoded = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in headers.items()
    ]
    return Request({"method": "GET", "headers": encoded}, unused, unused)


def allowed(
    credential: uuid.UUID = CREDENTIAL, repository: str = "org/api"
) -> AllowedPull:
    subject = Subject(SubjectKind.LICENSE, uuid.uuid4())
    return AllowedPull(TEAM, subject, repository, (), connected_registry(credential))


def key(rest: str = f"blobs/{DIGEST}", **headers: str) -> Any:
    route = parse_route(f"/v2/proxy/my-app/quay.io/a/{rest}")
    return small_object_key(request(**headers), route, allowed())


def test_the_largest_objects_fill_32_mib_and_the_oldest_gives_way() -> None:
    memory = small_objects()

    for number in range(1_000):
        memory[(number,)] = whole(64 * KIB)

    # Each takes 64 KiB and 2 KiB for what is around it.
    assert len(memory) == 32 * MIB // (66 * KIB) == 496
    assert memory.currsize == 496 * 66 * KIB
    assert (999,) in memory
    assert (504,) in memory
    assert (503,) not in memory


def test_empty_objects_are_not_free() -> None:
    memory = small_objects()

    for number in range(17_000):
        memory[(number,)] = whole(0)

    assert len(memory) == 32 * MIB // (2 * KIB) == 16_384


def test_a_replaced_object_counts_once() -> None:
    memory = small_objects()

    for size in (10 * KIB, 64 * KIB, 1 * KIB):
        memory[("a",)] = whole(size)
    assert memory.currsize == 3 * KIB

    memory.pop(("a",))
    assert (len(memory), memory.currsize) == (0, 0)


def test_an_object_is_kept_for_a_minute() -> None:
    memory = small_objects()
    memory[("a",)] = whole(1)
    now = memory.timer()

    memory.expire(now + 59)
    assert ("a",) in memory
    memory.expire(now + 60.1)
    assert (len(memory), memory.currsize) == (0, 0)


@pytest.mark.parametrize(
    ("size", "kept"), [(0, True), (64 * KIB, True), (64 * KIB + 1, False)]
)
def test_what_is_small_is_kept(size: int, kept: bool) -> None:
    assert is_worth_keeping(whole(size), DIGEST) is kept


@pytest.mark.parametrize("checked", ["", "sha256:" + "b" * 64])
def test_what_was_not_checked_against_its_digest_is_not_kept(checked: str) -> None:
    assert not is_worth_keeping(whole(10, checked), DIGEST)


@pytest.mark.parametrize(
    ("rest", "is_kept"),
    [
        (f"blobs/{DIGEST}", True),
        (f"manifests/{DIGEST}", True),
        ("manifests/v1", False),
        ("tags/list", False),
        (f"referrers/{DIGEST}", False),
    ],
)
def test_only_what_never_changes_is_kept(rest: str, is_kept: bool) -> None:
    assert (key(rest) is not None) is is_kept


@pytest.mark.parametrize(
    "header", ["range", "if_range", "if_none_match", "if_modified_since"]
)
def test_a_partial_or_conditional_answer_is_not_kept(header: str) -> None:
    assert key(**{header: "x"}) is None


def test_a_long_accept_header_is_not_kept() -> None:
    assert key(accept="a" * 1_024) is not None
    assert key(accept="a" * 1_025) is None


def test_nothing_crosses_from_one_credential_repository_or_object_to_another() -> None:
    blob = parse_route(f"/v2/proxy/my-app/quay.io/a/blobs/{DIGEST}")
    manifest = parse_route(f"/v2/proxy/my-app/quay.io/a/manifests/{DIGEST}")
    other = parse_route(f"/v2/proxy/my-app/quay.io/a/blobs/sha256:{'b' * 64}")

    keys = [
        small_object_key(request(), blob, allowed()),
        small_object_key(request(), blob, allowed(credential=uuid.uuid4())),
        small_object_key(request(), blob, allowed(repository="org/other")),
        small_object_key(request(), manifest, allowed()),
        small_object_key(request(), other, allowed()),
        small_object_key(request(accept="application/json"), blob, allowed()),
    ]

    assert len(set(keys)) == 6
    assert None not in keys
    assert keys[0] == small_object_key(request(), blob, allowed())
