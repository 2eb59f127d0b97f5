"""IDs of parameters."""

from __future__ import annotations


def plain_id(value: object) -> str:
    """Return a short ID without backslashes.

    pytest escapes those again in every further session of one process, and mutmut then
    does not find the test.
    """
    return ascii(value)[:60].replace("\\", "%")
