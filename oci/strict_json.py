"""JSON that every reader reads alike (RFC 8259; I-JSON, RFC 7493, section 2.3)."""

from __future__ import annotations

import json
from typing import Any


def parse_json(content: bytes) -> Any:
    """Read JSON in UTF-8 without duplicate members.

    Raises:
        ValueError: it is something else, or nested too deeply.
    """
    try:
        # json.loads() would also accept bytes in UTF-16 and UTF-32.
        return json.loads(content.decode(), object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("The JSON is nested too deeply.") from error


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two members with one name, some readers take the first.
    unique = dict(members)
    if len(unique) != len(members):
        raise ValueError("A JSON object has a member twice.")
    return unique
