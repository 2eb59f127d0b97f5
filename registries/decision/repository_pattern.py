"""Patterns of repositories: ``*`` is any characters, ``/`` too, and ``?`` is one.

As fnmatch, which compiles each pattern to a regular expression: for a long one that
takes milliseconds of an event loop, and what it remembers is limited.
"""

from __future__ import annotations

from functools import lru_cache


def matches(pattern: str, repository: str) -> bool:
    """Return whether a pattern matches all of a repository's name."""
    first, *others = pattern.split("*")
    if not others:
        return len(first) == len(repository) and _is_at(first, repository, 0)
    *middle, last = others
    begin, end = len(first), len(repository) - len(last)
    if begin > end or not _is_at(first, repository, 0):
        return False
    if not _is_at(last, repository, end):
        return False
    for part in middle:
        found = _find(part, repository, begin, end)
        if found < 0:
            return False
        begin = found + len(part)
    return True


def _is_at(part: str, text: str, begin: int) -> bool:
    if "?" not in part:
        return text.startswith(part, begin)
    return all(
        wanted in {"?", actual}
        for wanted, actual in zip(part, text[begin:], strict=False)
    )


def _find(part: str, text: str, begin: int, end: int) -> int:
    """Return where a part begins for the first time, or -1."""
    if "?" not in part:
        return text.find(part, begin, end)
    # A bit for each place where it may begin. Comparing at each place would take the
    # product of both lengths.
    places = (1 << max(begin, end - len(part) + 1)) - (1 << begin)
    for offset, character in enumerate(part):
        if character != "?":
            places &= _places(text, character) >> offset
    return (places & -places).bit_length() - 1


@lru_cache(maxsize=512)
def _places(text: str, character: str) -> int:
    return sum(1 << place for place, other in enumerate(text) if other == character)
