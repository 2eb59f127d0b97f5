from __future__ import annotations

import json
import uuid

import pytest

from edge.pull_log.line import MalformedLine, parse_line
from oci.media_types import OCI_INDEX
from tests.support.rows.pull_log import AT, INDEX, LogLines

TEAM, LICENSE, REGISTRY = (uuid.UUID(int=number) for number in (1, 2, 3))
LINES = LogLines(f"{TEAM} license:{LICENSE} {REGISTRY} {LICENSE}")


def test_a_line_of_nginx_is_read() -> None:
    line = LogLines(LINES.pull, place="a/b").index(
        "v1", cache="hit", stale=True, method="HEAD", bytes=12
    )

    answer = parse_line(line.encode())

    assert answer is not None
    assert answer.at == AT + 0.1
    assert answer.puller == (TEAM, f"license:{LICENSE}", LICENSE, REGISTRY, None)
    assert (answer.name.application, answer.name.path) == (
        "my-app",
        "sample/my-org/api",
    )
    assert (answer.method, answer.kind, answer.reference) == ("HEAD", "manifests", "v1")
    assert (answer.digest, answer.media_type) == (INDEX, OCI_INDEX)
    assert (answer.status, answer.size, answer.place) == (200, 12, "a/b")
    assert (answer.is_hit, answer.is_stale) == (True, True)


def test_a_holder_may_be_a_user_and_a_line_may_be_nobodys() -> None:
    pull = f"{TEAM} user:{LICENSE} {REGISTRY} -"
    answer = parse_line(LogLines(pull).blob().encode())

    assert answer is not None
    assert answer.puller == (TEAM, f"user:{LICENSE}", None, REGISTRY, None)
    assert parse_line(LogLines("").blob().encode()) is None


def test_a_holder_may_be_a_pull_credential_of_a_license() -> None:
    number = uuid.UUID(int=4)
    pull = f"{TEAM} pull-credential:{number} {REGISTRY} {LICENSE}"

    answer = parse_line(LogLines(pull).blob().encode())

    assert answer is not None
    assert answer.puller.license_id == LICENSE
    assert answer.puller.credential_id == number


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x00\x00\x00",
        b"[]",
        b"null",
        b"[" * 100_000,
        LINES.blob().encode()[:-20],
        b"x" + LINES.blob().encode(),
    ],
)
def test_what_is_no_line_is_malformed(line: bytes) -> None:
    with pytest.raises(MalformedLine):
        parse_line(line)


@pytest.mark.parametrize(
    "change",
    [
        {"time": "1"},
        {"time": -1},
        {"time": 1e300},
        {"time": True},
        {"bytes": 2**63},
        {"bytes": float("nan")},
        {"status": None},
        {"pull": "license:1"},
        {"pull": f"{TEAM} license:x {REGISTRY} {LICENSE}"},
        {"pull": f"{TEAM} {LICENSE} {REGISTRY} {LICENSE}"},
        {"pull": f"{TEAM} license:{LICENSE} {REGISTRY} x"},
        {"pull": f"{TEAM} license:{LICENSE} {REGISTRY}"},
        {"pull": 7},
        {"name": "my-app/api"},
        {"name": "proxy/" + "a" * 300},
        {"name": "proxy/app/\u0000"},
        {"reference": "a b"},
        {"reference": "sha256:x"},
        {"reference": "v" * 200},
        {"digest": None},
        {"place": 1},
    ],
)
def test_fields_that_the_database_would_refuse_are_malformed(
    change: dict[str, object],
) -> None:
    with pytest.raises(MalformedLine):
        parse_line(LINES.line("v1", **change).encode())


def test_a_missing_field_is_malformed() -> None:
    fields = json.loads(LINES.line("v1"))
    for name in fields:
        rest = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(MalformedLine):
            parse_line(json.dumps(rest).encode())
