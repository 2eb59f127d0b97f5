"""What a check of an installation comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``advice`` says what to do unless all is well. Never has a secret."""

    check: str
    status: Status
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, Status.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    return Finding(check, Status.WARNING, text, advice)


def failed(check: str, text: str, advice: str) -> Finding:
    return Finding(check, Status.FAILED, text, advice)


def skipped(check: str, text: str, advice: str = "") -> Finding:
    return Finding(check, Status.SKIPPED, text, advice)
