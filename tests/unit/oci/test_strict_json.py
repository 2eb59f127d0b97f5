from __future__ import annotations

import json

import pytest

from oci.strict_json import parse_json
from tests.support.ids import plain_id


def test_json_is_read() -> None:
    assert parse_json(b'{"a": [1, true, null, "\xc3\xa9"]}') == {
        "a": [1, True, None, "é"]
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        json.dumps({"a": 1}).encode("utf-16"),
        json.dumps({"a": 1}).encode("utf-32-le"),
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "a": 2}}]',
        b'{"a": 1, "\\u0061": 2}',
        b"[" * 100_000,
        b"9" * 5_000,
    ],
    ids=plain_id,
)
def test_what_readers_read_differently_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- several kinds of it
        parse_json(content)
