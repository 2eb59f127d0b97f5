"""What a token service's answer gives, and for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from registries.upstream.errors import UpstreamFault
from registries.upstream.tokens import read_token, renewed_early
from tests.support.ids import plain_id
from tests.unit.registries.upstream.test_realm_trust import QUAY

LONGEST = "t" * 16 * 1024


def read(answer: Any, status: int = 200) -> tuple[str, float]:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return read_token(status, body, QUAY)


# A token is used for four fifths of its life, less a second.
@pytest.mark.parametrize(
    ("answer", "token", "seconds"),
    [
        ({"token": "abc"}, "abc", 47),
        ({"access_token": "abc"}, "abc", 47),
        ({"token": "abc", "access_token": "def"}, "abc", 47),
        ({"token": "", "access_token": "def"}, "def", 47),
        ({"token": "abc", "expires_in": 300}, "abc", 239),
        ({"token": "abc", "expires_in": "300"}, "abc", 239),
        ({"token": "abc", "expires_in": 0}, "abc", 47),
        ({"token": "abc", "expires_in": None}, "abc", 47),
        ({"token": "abc", "expires_in": 1}, "abc", 0),
        ({"token": "abc", "expires_in": -5}, "abc", 0),
        ({"token": "abc", "expires_in": 3600}, "abc", 2879),
        ({"token": "abc", "expires_in": 3601}, "abc", 2879),
        ({"token": "abc", "expires_in": 10**9}, "abc", 2879),
        ({"token": LONGEST}, LONGEST, 47),
        ({"token": "t"}, "t", 47),
    ],
)
def test_a_usable_answer(answer: dict[str, Any], token: str, seconds: float) -> None:
    header, kept = read(answer)

    assert header == f"Bearer {token}"
    assert kept == pytest.approx(seconds)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"token": ""},
        {"token": None},
        {"token": 5},
        {"token": ["a"]},
        {"token": "a b\n"},
        {"token": "a\x7f"},
        {"token": "é"},
        {"token": LONGEST + "t"},
    ],
)
def test_an_answer_without_a_token(answer: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFault, match="has a token service that gave no token"):
        read(answer)


def test_a_fault_has_the_status() -> None:
    for answer, status in [({"token": ""}, 200), ({"token": "abc"}, 503)]:
        with pytest.raises(UpstreamFault) as caught:
            read(answer, status)

        assert caught.value.http_status == status


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"5",
        b"\xff",
        b"[" * 100_000,
        {"token": "abc", "expires_in": "soon"},
        {"token": "abc", "expires_in": [1]},
        {"token": "abc", "expires_in": 10**400},
    ],
    ids=plain_id,
)
def test_an_unusable_answer(answer: Any) -> None:
    with pytest.raises(UpstreamFault, match=r"no usable answer \(status 200\)"):
        read(answer)


@pytest.mark.parametrize("status", [201, 302, 401, 500])
def test_another_status_gives_no_token(status: int) -> None:
    with pytest.raises(UpstreamFault, match=rf"no usable answer \(status {status}\)"):
        read({"token": "abc"}, status)


@pytest.mark.parametrize(
    ("life", "kept"), [(0, 0), (1.25, 0), (10, 7), (43_200, 34_559)]
)
def test_a_token_is_renewed_before_it_ends(life: float, kept: float) -> None:
    assert renewed_early(life) == pytest.approx(kept)
