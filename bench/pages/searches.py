"""What the box in the head finds while somebody types."""

from __future__ import annotations

from collections.abc import Iterator

from bench.pages.addresses import Address
from bench.pages.values import NOTHING, Values

SECTION = "The search box"
_FOUND, _NOTHING_FOUND = '<section class="berth-found">', "Nothing found."
_UNKNOWN = (NOTHING, "zx")


def search_addresses(values: Values) -> Iterator[Address]:
    """Yield a request for each kind of text that people type or paste."""
    path = values.path("search")
    for words, text in values.box.items():
        yield Address(
            SECTION,
            words.capitalize(),
            path,
            form={"q": text},
            is_partial=True,
            shows=_NOTHING_FOUND if text in _UNKNOWN else _FOUND,
        )
