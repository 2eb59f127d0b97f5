from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.range import MalformedRange, bounds, parse_range

NUMBERS = st.integers(min_value=0, max_value=10**19 - 1)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("bytes=0-0", "bytes=0-0"),
        ("bytes=0-499", "bytes=0-499"),
        ("bytes=500-", "bytes=500-"),
        ("bytes=-500", "bytes=-500"),
        ("bytes=-0", "bytes=-0"),
        ("Bytes=007-010", "bytes=7-10"),
        ("bytes=9999999999999999999-", "bytes=9999999999999999999-"),
    ],
)
def test_parse_range_returns_canonical_text(text: str, canonical: str) -> None:
    assert parse_range(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=--1",
        "bytes=1",
        "bytes=2-1",
        "0-1",
        "bytes=0-1,2-3",
        "bytes=0-1,",
        "bytes=,0-1",
        "lines=0-1",
        "bytes:0-1",
        "bytes=0-1-2",
        "bytes=+0-1",
        "bytes=0x0-1",
        "bytes=\u0660-\u0661",
        "byte\u017f=0-1",
        "bytes =0-1",
        "bytes= 0-1",
        "bytes=0 -1",
        "bytes=0-1\n",
        "bytes=0-1\x00",
        "bytes=10000000000000000000-",
        "bytes=-" + "9" * 20,
        "bytes=" + "9" * 100_000,
    ],
)
def test_parse_range_refuses_what_is_no_single_range(text: str) -> None:
    with pytest.raises(MalformedRange):
        parse_range(text)


def test_parse_range_quotes_eighty_characters_of_a_long_input() -> None:
    with pytest.raises(MalformedRange) as refusal:
        parse_range("x" * 100_000)

    assert str(refusal.value) == f"'{'x' * 80}' is not a single range of bytes."


@given(NUMBERS, NUMBERS)
def test_parse_range_keeps_a_canonical_range(one: int, other: int) -> None:
    first, last = sorted((one, other))

    for text in (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}"):
        assert parse_range(text) == text


@given(st.text() | st.text(alphabet="0123456789-,=bytes \x00").map("bytes=".__add__))
def test_parse_range_raises_only_malformed_range(text: str) -> None:
    with contextlib.suppress(MalformedRange):
        canonical = parse_range(text)
        assert parse_range(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("bytes=0-9", 100, (0, 10)),
        ("bytes=90-", 100, (90, 100)),
        ("bytes=90-200", 100, (90, 100)),
        ("bytes=-10", 100, (90, 100)),
        ("bytes=-200", 100, (0, 100)),
        ("bytes=99-99", 100, (99, 100)),
        ("bytes=100-", 100, None),
        ("bytes=100-200", 100, None),
        ("bytes=-0", 100, None),
        ("bytes=0-", 0, None),
        ("bytes=-1", 0, None),
    ],
)
def test_bounds_are_inside(
    text: str, size: int, expected: tuple[int, int] | None
) -> None:
    assert bounds(text, size) == expected
