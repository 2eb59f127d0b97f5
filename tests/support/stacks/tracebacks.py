"""Fails a test during which a process logged a traceback that it does not expect.

A test that provokes one says so with ``@pytest.mark.expected_traceback("regex", …)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from deploy.local.process import ManagedProcess

_START = "Traceback (most recent call last):"
_CHAINED = ("The above exception was", "During handling of the above")


class TracebackWatch:
    """Reads what processes have logged since it last looked."""

    def __init__(self) -> None:
        self._seen: dict[Path, int] = {}

    def check(self, expected: Iterable[str] = ()) -> None:
        """Fail on each new traceback that matches no regular expression."""
        patterns = [re.compile(text) for text in expected]
        unexpected = [
            f"{log.name}:\n{traceback}"
            for log, traceback in self._new_tracebacks()
            if not any(pattern.search(traceback) for pattern in patterns)
        ]
        if unexpected:
            text = "\n\n".join(unexpected)
            pytest.fail(f"A process logged a traceback. {text}", pytrace=False)

    def _new_tracebacks(self) -> Iterator[tuple[Path, str]]:
        for log in sorted(filter(self._has_grown, ManagedProcess.logs)):
            with log.open("rb") as stream:
                stream.seek(self._seen.get(log, 0))
                content = stream.read()
                self._seen[log] = stream.tell()
            for traceback in tracebacks(content.decode(errors="replace")):
                yield log, traceback

    def _has_grown(self, log: Path) -> bool:
        # After each of thousands of tests, most of a hundred logs have not.
        try:
            return log.stat().st_size > self._seen.get(log, 0)
        except FileNotFoundError:
            return False


def tracebacks(text: str) -> list[str]:
    """Return the tracebacks in a log, each with those that led to it."""
    found: list[list[str]] = []
    is_inside = is_chained = False
    for line in text.splitlines():
        if is_inside:
            found[-1].append(line)
            # The first line that is not indented names the exception.
            is_inside = line.startswith((" ", "\t")) or not line
        elif _START in line:
            found += [] if is_chained else [[]]
            found[-1].append(line)
            is_inside, is_chained = True, False
        elif line.startswith(_CHAINED):
            is_chained = bool(found)
        elif line:
            is_chained = False
    return ["\n".join(lines) for lines in found]


@pytest.fixture(scope="session", autouse=True)
def traceback_watch() -> Iterator[TracebackWatch]:
    """Watch the logs, also while the processes of the session end."""
    watch = TracebackWatch()
    yield watch
    watch.check()


@pytest.fixture(autouse=True)
def no_unexpected_traceback(
    request: pytest.FixtureRequest, traceback_watch: TracebackWatch
) -> Iterator[None]:
    yield
    marks = request.node.iter_markers("expected_traceback")
    traceback_watch.check(text for mark in marks for text in mark.args)
