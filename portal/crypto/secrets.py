"""Strings that must not be printed by accident."""

from __future__ import annotations

import hmac
from typing import Never


class Secret:
    """A string that hides itself from ``repr``, ``str``, formatting and pickling.

    Only :meth:`reveal`, which is easy to search for, returns the text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a secret must not be a dictionary key

    def __reduce__(self) -> Never:
        raise TypeError("A Secret cannot be serialized.")
