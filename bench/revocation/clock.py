from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds since the run began; the same in all threads."""

    _origin: float = field(default_factory=time.monotonic)
    _wall: float = field(default_factory=time.time)

    def now(self) -> float:
        return time.monotonic() - self._origin

    def date(self, seconds: float) -> datetime:
        """Return the date and time at an instant of the run."""
        return datetime.fromtimestamp(self._wall + seconds, UTC)

    def seconds(self, date: datetime) -> float:
        """Return the instant of the run at a date and time."""
        return date.timestamp() - self._wall
