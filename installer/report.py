"""What a command says: sentences for people, or one document for scripts."""

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
    """What a command found or did. ``notes`` are what a person should also know."""

    text: str
    document: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)
    exit_code: ExitCode = ExitCode.DONE


def print_report(report: Report, form: str) -> None:
    """Print the result on standard output, and for people the notes on the other."""
    # A Kubernetes object has no room for notes of ours.
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
    """Print what ended a command: for people on standard error."""
    if form == "text":
        print(f"Error: {printable(str(error))}", file=sys.stderr)  # noqa: T201 -- output
        return
    _write_document({"error": {"code": error.code, "message": str(error)}}, form)


def printable(text: str) -> str:
    """Return a text without what could steer a terminal: names come from strangers."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def _write_document(document: Mapping[str, Any], form: str) -> None:
    if form == "json":
        _write(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _write(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))


def _write(text: str) -> None:
    # File names need not be text; what cannot be written is shown as its code.
    shown = text.encode("utf-8", "backslashreplace").decode()
    if shown:
        sys.stdout.write(shown if shown.endswith("\n") else f"{shown}\n")


class Progress:
    """One line that is written over, where somebody watches."""

    def __init__(self, what: str, *, shown: bool, stream: TextIO | None = None) -> None:
        self._what = what
        self._shown = shown
        self._stream = stream or sys.stderr
        self._last = 0.0

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        is_last = done >= of
        if not self._shown or (now - self._last < _SECONDS_BETWEEN and not is_last):
            return
        self._last = now
        end = "\n" if is_last else ""
        self._stream.write(f"\r{self._what}: {done} of {of}{end}")
        self._stream.flush()


def watched(*, wanted: bool) -> bool:
    """Tell whether to show progress: somebody asked for it, or sits at a terminal."""
    return wanted or sys.stderr.isatty()
