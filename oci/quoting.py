"""Refused input, as messages show it."""

from __future__ import annotations

_SHOWN_CHARACTERS = 80


def quoted(text: str) -> str:
    """Return the first 80 characters in quotes, with unprintable ones escaped."""
    return repr(text[:_SHOWN_CHARACTERS])
