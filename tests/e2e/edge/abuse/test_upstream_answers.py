"""Answers of registries that are theirs to give: their 4xx, and pages of lists."""

from __future__ import annotations

import pytest

from tests.e2e.edge.conftest import Victim, no_connection_left_open
from tests.support.servers.hostile_upstream import BODY_SECRET


@pytest.mark.parametrize("status", [400, 405, 406, 410, 451])
def test_what_the_client_can_act_on_stays_what_it_is(
    victim: Victim, status: int
) -> None:
    answer = victim.get(f"says-{status}", "manifests/v1")

    assert (answer.status, answer.error[0]) == (status, "MANIFEST_INVALID")
    assert answer.headers["Allow"] == "GET"
    assert BODY_SECRET not in answer.body.decode()


@pytest.mark.parametrize("status", [402, 407, 408, 421, 426, 500])
def test_what_is_between_berth_and_the_registry_is_502(
    victim: Victim, status: int
) -> None:
    answer = victim.get(f"says-{status}", "manifests/v1")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert f"answered {status}" in answer.error[1]


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("odd-errors", 400, "UNSUPPORTED"),
        ("deep-errors", 400, "UNSUPPORTED"),
        ("endless-errors", 400, "UNSUPPORTED"),
        ("slow-errors", 404, "MANIFEST_UNKNOWN"),
    ],
)
def test_errors_that_cannot_be_read_have_no_code_of_their_own(
    victim: Victim, behaviour: str, status: int, code: str
) -> None:
    answer = victim.get(behaviour, "manifests/v1")

    assert (answer.status, answer.error[0]) == (status, code)
    no_connection_left_open(victim)


@pytest.mark.parametrize(
    "behaviour",
    [
        "paged",
        "paged-by-query",
        "paged-in-place",
        "paged-under-a-path",
        "paged-at-its-host",
        "paged-twice",
    ],
)
def test_pages_of_tags_are_at_our_address(victim: Victim, behaviour: str) -> None:
    name = victim.name(behaviour)

    answer = victim.get(behaviour, "tags/list?n=2&next_page=opaque")

    (link,) = answer.headers.getlist("Link")
    assert link == f'</v2/{name}/tags/list?n=2&last=v2>; rel="next"'
    assert victim.hostile.requests[-1].path.endswith("?n=2&next_page=opaque")


@pytest.mark.parametrize(
    "behaviour", ["paged-elsewhere", "paged-to-nowhere", "paged-badly"]
)
def test_links_to_no_further_page_are_left_out(victim: Victim, behaviour: str) -> None:
    answer = victim.get(behaviour, "tags/list")

    assert answer.status == 200
    assert "Link" not in answer.headers


def test_tags_are_those_of_the_name_that_was_asked_for(victim: Victim) -> None:
    answer = victim.get("paged", "tags/list")

    assert answer.json == {"name": victim.name("paged"), "tags": ["v1", "v2"]}


def test_ten_thousand_tags_are_listed(victim: Victim) -> None:
    assert len(victim.get("many-tags", "tags/list").json["tags"]) == 10_000


def test_a_list_of_tags_that_is_too_large_is_refused(victim: Victim) -> None:
    answer = victim.get("too-many-tags", "tags/list")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert answer.error[1] == (
        "The registry of evil sent more than 524288 bytes of tags. "
        "Ask for a page of it with ?n=1000, or contact your vendor."
    )
    no_connection_left_open(victim)


def test_a_list_of_tags_grows_by_its_new_name_alone(victim: Victim) -> None:
    answer = victim.get("tags-in-words", "tags/list")

    assert answer.json["tags"] == ["größe", "\u6700" * 10_000]
    assert len(answer.body) < 31_000


def test_no_tags_stay_no_tags(victim: Victim) -> None:
    answer = victim.get("null-tags", "tags/list")

    assert answer.json == {"name": victim.name("null-tags"), "tags": None}


def test_half_a_character_is_replaced(victim: Victim) -> None:
    assert victim.get("half-a-character", "tags/list").json["tags"] == ["v1", "?"]


@pytest.mark.parametrize(
    ("behaviour", "body"),
    [
        ("names-nothing", b'["v1"]'),
        ("no-json", BODY_SECRET.encode()),
        (
            "tags-and-numbers",
            b'{"name": "its-own-name", "tags": ["v1", 1000000000000000.0]}',
        ),
    ],
)
def test_a_list_that_is_none_stays_as_it_came(
    victim: Victim, behaviour: str, body: bytes
) -> None:
    assert victim.get(behaviour, "tags/list").body == body
