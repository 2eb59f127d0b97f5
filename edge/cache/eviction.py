"""Keeps the disk cache within its limits.

Runs beside the edge, which goes on reading and writing: a file that is deleted under
its readers stays readable to them.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from edge.cache.kept_files import files, objects_and_tags
from edge.cache.marks import mark_used
from edge.cache.place import Place
from edge.cache.scrubber import Scrubber
from edge.cache.store import LARGE, OBJECTS, TMP, ObjectKey, object_paths
from edge.cache.tags import TAGS

# A body that is slower than this is cut off by the edge.
TMP_SECONDS = 3600
# Looking at a million files takes some ten seconds.
LOOK_SECONDS = 600.0
# Of the cache or its disk, whichever is smaller: what the edge may write until the
# next time.
_ROOM = 1 / 20
# Chosen at a time; a million would not fit in memory.
_CHOSEN = 50_000


@dataclass(frozen=True, slots=True)
class EvictionLimits:
    """``max_bytes`` is for all objects, ``min_free_bytes`` for the rest of the disk."""

    max_bytes: int
    inactive_seconds: float
    min_free_bytes: int


def evictor(root: Path) -> Evictor:
    """Return an evictor for a directory, with the limits of the settings."""
    limits = EvictionLimits(
        max_bytes=settings.BERTH_CACHE_BYTES,
        inactive_seconds=settings.BERTH_CACHE_INACTIVE_SECONDS,
        min_free_bytes=settings.BERTH_CACHE_MIN_FREE_BYTES,
    )
    return Evictor(root, limits)


class _Look(NamedTuple):
    """What the last look at all files found, and what the disk held then."""

    at: float
    size: int
    used: int


class _Disk(NamedTuple):
    size: int
    used: int
    free: int


class Evictor:
    """Deletes what exceeds the limits, what nobody uses, and what went bad."""

    def __init__(self, root: Path, limits: EvictionLimits) -> None:
        self._root = root
        self._limits = limits
        self._scrubber = Scrubber(root)
        self._last: _Look | None = None

    def run_once(self) -> Counter[uuid.UUID]:
        """Delete what has to go; return how many objects that were, by registry."""
        if not self._root.exists():
            return Counter()
        self._delete_abandoned_drafts()
        deleted: Counter[uuid.UUID] = Counter()
        if self._must_look():
            self._look(deleted)
        return deleted + self._scrubber.run_once()

    def touch(self, place: Place, kind: str, digest: str) -> None:
        """Note that an object was used, if it is still there."""
        if kind not in {"blobs", "manifests"}:
            return
        key = ObjectKey(place, "blobs" if kind == "blobs" else "manifests", digest)
        for path, _ in object_paths(self._root, key):
            with contextlib.suppress(OSError):
                mark_used(path)

    def _delete_abandoned_drafts(self) -> None:
        oldest = time.time() - TMP_SECONDS
        for entry in files(self._root / TMP):
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()

    def _must_look(self) -> bool:
        """Return whether it is time, or the disk has so much more that it must be."""
        last, disk = self._last, self._disk()
        if last is None or time.monotonic() - last.at > LOOK_SECONDS:
            return True
        return self._excess(last.size + max(disk.used - last.used, 0), disk) > 0

    def _look(self, deleted: Counter[uuid.UUID]) -> None:
        sizes = self._delete_unused(deleted)
        disk = self._disk()
        excess = self._excess(sizes.total(), disk)
        if excess > 0:
            self._evict(sizes, excess + self._room(disk), deleted)
        self._delete_empty_directories()
        self._last = _Look(time.monotonic(), sizes.total(), self._disk().used)

    def _delete_unused(self, deleted: Counter[uuid.UUID]) -> Counter[uuid.UUID]:
        """Delete what nobody used for long; return the bytes of the rest."""
        sizes: Counter[uuid.UUID] = Counter()
        oldest = time.time() - self._limits.inactive_seconds
        for item in objects_and_tags(self._root):
            if item.used_at < oldest and item.delete():
                deleted[item.registry_id] += not item.is_tag
            else:
                sizes[item.registry_id] += item.size
        return sizes

    def _excess(self, size: int, disk: _Disk) -> int:
        # The edge itself leaves the least free bytes alone.
        free = self._limits.min_free_bytes + self._room(disk)
        return max(size - self._limits.max_bytes, free - disk.free)

    def _room(self, disk: _Disk) -> int:
        return int(min(self._limits.max_bytes, disk.size) * _ROOM)

    def _evict(
        self, sizes: Counter[uuid.UUID], excess: int, deleted: Counter[uuid.UUID]
    ) -> None:
        """Delete the least recently used of the registries that hold the most."""
        cuts = _cuts(sizes, excess)
        before = None
        while cuts and cuts != before:
            before = dict(cuts)
            items = (x for x in objects_and_tags(self._root) if x.registry_id in cuts)
            for item in heapq.nsmallest(_CHOSEN, items):
                registry_id = item.registry_id
                if registry_id in cuts and item.delete():
                    deleted[registry_id] += not item.is_tag
                    sizes[registry_id] -= item.size
                    cuts[registry_id] -= item.size
                    if cuts[registry_id] <= 0:
                        del cuts[registry_id]

    def _disk(self) -> _Disk:
        disk = os.statvfs(self._root)
        used = disk.f_blocks - disk.f_bfree
        blocks = _Disk(disk.f_blocks, used, disk.f_bavail)
        return _Disk(*(number * disk.f_frsize for number in blocks))

    def _delete_empty_directories(self) -> None:
        for top in (OBJECTS, LARGE, TAGS):
            for path, directories, _ in os.walk(self._root / top, topdown=False):
                for name in directories:
                    with contextlib.suppress(OSError):
                        Path(path, name).rmdir()


def _cuts(sizes: Mapping[uuid.UUID, int], excess: int) -> dict[uuid.UUID, int]:
    """Return how much each gives up, so that nobody keeps more than they do."""
    level = _level(sorted(sizes.values(), reverse=True), excess)
    return {name: size - level for name, size in sizes.items() if size > level}


def _level(sizes: list[int], excess: int) -> int:
    """Return to what the largest are cut, so that ``excess`` becomes free."""
    total = 0
    for count, (size, smaller) in enumerate(
        zip(sizes, [*sizes[1:], 0], strict=True), 1
    ):
        total += size
        if total - count * smaller >= excess:
            return (total - excess) // count
    return 0
