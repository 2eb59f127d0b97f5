"""What happened in a run, and when: the only thing that the checker reads.

All times are seconds since the run began, on one monotonic clock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path


class Route(StrEnum):
    """How a request reaches the images."""

    EDGE = "proxy, edge alone"
    NGINX = "proxy, nginx in front"
    PRIVATE = "private registry behind nginx"


class Kind(StrEnum):
    """What a request asks for; all but tokens are asked for with a kept token."""

    BY_TAG = "manifest by tag"
    BY_DIGEST = "manifest by digest"
    SMALL_BLOB = "small blob"
    BLOB = "blob"
    RANGE = "range"
    TOKEN = "token"  # noqa: S105 -- a kind of request
    DOWNLOAD = "long download"


class Right(StrEnum):
    """What a license needs to pull: each can end and begin again."""

    NOT_REVOKED = "not revoked"
    NOT_EXPIRED = "not expired"
    NOT_ARCHIVED = "not archived"


class Process(StrEnum):
    """What can be killed and frozen."""

    EDGE = "edge"
    WORKER = "worker"
    VALKEY = "Valkey"
    POSTGRES = "PostgreSQL"
    NGINX = "nginx"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request, as its client saw it.

    ``sent`` was noted before sending, ``first_byte`` after the first byte of the body
    was read, ``ended`` after the last. ``status`` is 0 without an answer. ``granted``
    is whether a token grants anything. ``marks`` are times at which a long download
    received bytes. ``error`` says why the client stopped early.
    """

    route: Route
    kind: Kind
    license: int
    sent: float
    ended: float
    status: int = 0
    first_byte: float = math.nan
    size: int = 0
    granted: bool = False
    marks: tuple[float, ...] = ()
    error: str = ""

    @property
    def carries(self) -> bool:
        """Return whether the answer gives what only an active license may have."""
        if self.kind is Kind.TOKEN:
            return self.granted
        return 200 <= self.status < 300 and self.size > 0


@dataclass(frozen=True, slots=True)
class Change:
    """One committed or attempted change of a right, or a look at its state.

    ``asked`` was noted before, ``answered`` after the commit; None if its outcome is
    unknown. A look has ``read_back``: it shows the state that such a change left. A
    right that ends at an instant does so ``at`` it, and not before.
    """

    license: int
    right: Right
    ends: bool
    asked: float
    answered: float | None
    at: float = -math.inf
    read_back: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """A process that was killed, or frozen, and until when."""

    victim: Process
    what: str
    began: float
    ended: float


@dataclass(slots=True)
class History:
    """All entries, each kind in the order in which it ended."""

    answers: list[Answer] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write the history as JSON, one entry a line."""
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for entries in (self.changes, self.troubles, self.answers):
            yield from map(as_line, entries)


def as_line(entry: Answer | Change | Trouble) -> str:
    """Return an entry as one line of JSON, without the fields that say nothing."""
    fields = {
        name: _rounded(value)
        for name, value in asdict(entry).items()
        if value is not False and value not in ("", ()) and value != -math.inf
    }
    return json.dumps({type(entry).__name__.lower(): fields})


def _rounded(value: object) -> object:
    if isinstance(value, tuple):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 3)
    return value
