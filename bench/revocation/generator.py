"""Chooses at random, from a seed, what clients, the writer and the nemesis do next."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from bench.revocation.history import Kind, Process, Right, Route

T = TypeVar("T")
_KINDS = {
    Kind.BY_TAG: 24,
    Kind.BY_DIGEST: 24,
    Kind.SMALL_BLOB: 20,
    Kind.BLOB: 12,
    Kind.RANGE: 12,
    Kind.TOKEN: 8,
}
# Seconds that clients wait: with only patient ones, nobody would ask any more while a
# process is frozen. The most patient outlast the checker's deadline.
_PATIENCE = {1.5: 3, 4.0: 2, 15.0: 3}
_VICTIMS = {
    Process.EDGE: 4,
    Process.POSTGRES: 4,
    Process.NGINX: 2,
    Process.VALKEY: 2,
    Process.WORKER: 1,
}
# The licenses changed last are asked for most.
_HOT = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request to make."""

    license: int
    route: Route
    kind: Kind
    patience: float


@dataclass(frozen=True, slots=True)
class WantedChange:
    """A right to end or to give back; ``in_seconds`` is for an expiry."""

    license: int
    right: Right
    ends: bool
    in_seconds: float


@dataclass(frozen=True, slots=True)
class WantedTrouble:
    """A process to kill or to freeze for some seconds, after a pause."""

    pause: float
    victim: Process
    kills: bool
    seconds: float


@dataclass(slots=True)
class Pulls:
    """Draws requests. ``downloading`` has the licenses of long downloads under way."""

    random: Random
    licenses: int
    downloading: set[int] = field(default_factory=set)
    _hot: deque[int] = field(default_factory=lambda: deque(maxlen=_HOT))

    def note_change(self, license: int) -> None:
        """Ask for a license more often for a while."""
        self._hot.append(license)

    def draw(self) -> Wanted:
        hot = list(self._hot)
        is_hot = bool(hot) and self.random.random() < 0.6
        license = self.random.choice(hot) if is_hot else self._any()
        return Wanted(
            license,
            self.random.choice(list(Route)),
            _weighted(self.random, _KINDS),
            _weighted(self.random, _PATIENCE),
        )

    def draw_download(self, route: Route) -> Wanted:
        return Wanted(self._any(), route, Kind.DOWNLOAD, max(_PATIENCE))

    def _any(self) -> int:
        return self.random.randrange(self.licenses)


@dataclass(slots=True)
class Changes:
    """Draws changes, from the rights that have ended; about half the licenses pull."""

    random: Random
    licenses: int
    pause: tuple[float, float]
    _ended: defaultdict[int, set[Right]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def draw_pause(self) -> float:
        return self.random.uniform(*self.pause)

    def draw(self, downloading: Collection[int] = ()) -> WantedChange:
        """Draw a change, a third of them of licenses that are ``downloading``."""
        license = self.random.randrange(self.licenses)
        if downloading and self.random.random() < 1 / 3:
            license = self.random.choice(sorted(downloading))
        ended = self._ended[license]
        ends = not ended or (len(ended) < len(Right) and self.random.random() < 0.2)
        rights = [right for right in Right if (right in ended) != ends]
        in_seconds = self.random.uniform(-3, 3)
        return WantedChange(license, self.random.choice(rights), ends, in_seconds)

    def settle(self, license: int, right: Right, *, ended: bool) -> None:
        """Note a right's state, as committed or as read back."""
        if ended:
            self._ended[license].add(right)
        else:
            self._ended[license].discard(right)


def draw_trouble(random: Random, pause: tuple[float, float]) -> WantedTrouble:
    """Draw a process to trouble: frozen for 2 to 8 seconds, or killed."""
    return WantedTrouble(
        random.uniform(*pause),
        _weighted(random, _VICTIMS),
        random.random() < 0.4,
        random.uniform(2, 8),
    )


def _weighted(random: Random, weights: dict[T, int]) -> T:
    return random.choices(list(weights), list(weights.values()))[0]
