"""The Range header of a blob pull (RFC 9110 section 14.1.2)."""

from __future__ import annotations

import re

from oci.quoting import quoted

_SINGLE_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.IGNORECASE)


class MalformedRange(ValueError):  # noqa: N818  a domain word, read as a sentence
    """The text is not a single range of bytes."""


def parse_range(text: str) -> str:
    """Return the range without leading zeros and with its unit in lower case.

    Accepts `bytes=first-last`, `bytes=first-` or `bytes=-suffix`, with at most 19
    digits a number. Raises MalformedRange for anything else, several ranges included.
    """
    # IGNORECASE alone would read the long s as an "s".
    match = _SINGLE_RANGE.fullmatch(text) if text.isascii() else None
    if not match or not (match[1] or match[2]):
        raise MalformedRange(f"{quoted(text)} is not a single range of bytes.")
    first, last = (int(digits) if digits else None for digits in match.groups())
    if first is not None and last is not None and first > last:
        raise MalformedRange(f"{quoted(text)} ends before it begins.")
    return f"bytes={_digits(first)}-{_digits(last)}"


def bounds(range_text: str, size: int) -> tuple[int, int] | None:
    """Return where a range of ``parse_range`` begins and ends in so many bytes.

    The end is exclusive. None if the range is outside (RFC 9110 section 14.1.1).
    """
    first, _, last = range_text.removeprefix("bytes=").partition("-")
    if first:
        begin, end = int(first), min(int(last) + 1, size) if last else size
    else:
        begin, end = max(0, size - int(last)), size
    return (begin, end) if begin < end else None


def _digits(number: int | None) -> str:
    return "" if number is None else str(number)
