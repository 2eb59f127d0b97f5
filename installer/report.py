"""A command's output: sentences for people, or one document for scripts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

import yaml

from installer.errors import ExitCode, InstallerError

_SECONDS_BETWEEN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a command. ``notes`` are warnings for the user."""

    text: str
    document: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)
    exit_code: ExitCode = ExitCode.DONE


def print_report(report: Report, form: str) -> None:
    """Print the result to standard output, and notes for people to standard error."""
    # A Kubernetes object has no place for notes.
    is_object = "kind" in report.document
    if form == "text":
        _write(printable(report.text))
    elif is_object:
        _write_document(report.document, form)
    else:
        _write_document({**report.document, "notes": list(report.notes)}, form)
    for note in report.notes if form == "text" or is_object else ():
        print(f"Note: {printable(note)}", file=sys.stderr)  # noqa: T201 -- output


def print_error(error: InstallerError, form: str) -> None:
    """Print an error: for people to standard error, for scripts to standard output."""
    if form == "text":
        print(f"Error: {printable(str(error))}", file=sys.stderr)  # noqa: T201 -- output
        return
    _write_document({"error": {"code": error.code, "message": str(error)}}, form)


def printable(text: str) -> str:
    """Return untrusted text without characters that could control a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def _write_document(document: Mapping[str, Any], form: str) -> None:
    if form == "json":
        _write(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _write(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))


def _write(text: str) -> None:
    # File names need not be valid text; invalid bytes are escaped.
    shown = text.encode("utf-8", "backslashreplace").decode()
    if shown:
        sys.stdout.write(shown if shown.endswith("\n") else f"{shown}\n")


class Progress:
    """A progress line that is overwritten, on a terminal or if ``always`` is set."""

    def __init__(
        self, label: str, *, always: bool, stream: TextIO | None = None
    ) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._shown = always or self._stream.isatty()
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        is_last = done >= total
        if not self._shown or (now - self._last < _SECONDS_BETWEEN and not is_last):
            return
        self._last = now
        end = "\n" if is_last else ""
        self._stream.write(f"\r{self._label}: {done} of {total}{end}")
        self._stream.flush()
