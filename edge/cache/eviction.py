"""Keeps the disk cache within its limits, and looks for bytes that went bad.

Runs beside the edge, which goes on reading and writing: a file that is deleted under
its readers stays readable to them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from edge.cache.marks import is_whole, mark_used
from edge.cache.place import Place
from edge.cache.store import LARGE, OBJECTS, TMP, ObjectKey, object_paths
from edge.cache.tags import TAGS

logger = logging.getLogger(__name__)
# A body that is slower than this is cut off by the edge.
TMP_SECONDS = 3600
# What an empty file takes.
LEAST_BYTES = 4096
# Of reading all objects again.
SCRUB_BYTES_PER_SECOND = 8 * 2**20
SCRUB_SECONDS = 60.0


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


class _Kept(NamedTuple):
    """An object or tag; the one unused for the longest time sorts first."""

    used_at: float
    size: int
    path: str
    registry_id: uuid.UUID
    is_tag: bool


class Evictor:
    """Deletes what exceeds the limits, what nobody uses, and what went bad."""

    def __init__(self, root: Path, limits: EvictionLimits) -> None:
        self._root = root
        self._limits = limits
        self._unread: Iterator[_Kept] = iter(())
        self._scrubbed_at = time.monotonic()
        self._readable = 0.0

    def run_once(self) -> Counter[uuid.UUID]:
        """Delete what has to go; return how many objects that were, by registry."""
        if not self._root.exists():
            return Counter()
        self._delete_old(TMP, TMP_SECONDS)
        self._delete_old(TAGS, self._limits.inactive_seconds)
        deleted = Counter(item.registry_id for item in self._evict())
        deleted.update(item.registry_id for item in self._scrub())
        self._delete_empty_directories()
        return deleted

    def touch(self, place: Place, kind: str, digest: str) -> None:
        """Note that an object was used, if it is still there."""
        if kind not in {"blobs", "manifests"}:
            return
        key = ObjectKey(place, "blobs" if kind == "blobs" else "manifests", digest)
        for path, _ in object_paths(self._root, key):
            with contextlib.suppress(OSError):
                mark_used(path)

    def _delete_old(self, top: str, seconds: float) -> None:
        oldest = time.time() - seconds
        for entry in _files(self._root / top):
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()

    def _evict(self) -> Iterator[_Kept]:
        # Tags too, which take a block each.
        objects = sorted([*self._objects(), *self._files_of(TAGS)])
        size = sum(item.size for item in objects)
        excess = max(size - self._limits.max_bytes, self._missing_free_bytes())
        oldest = time.time() - self._limits.inactive_seconds
        for item in objects:
            if item.used_at >= oldest and excess <= 0:
                return
            if _delete(item):
                excess -= item.size
                if not item.is_tag:
                    yield item

    def _missing_free_bytes(self) -> int:
        disk = os.statvfs(self._root)
        return self._limits.min_free_bytes - disk.f_bavail * disk.f_frsize

    def _scrub(self) -> Iterator[_Kept]:
        """Read objects again, a few each time, and delete those that went bad."""
        now = time.monotonic()
        seconds = min(now - self._scrubbed_at, SCRUB_SECONDS)
        self._scrubbed_at = now
        self._readable = min(self._readable, 0) + seconds * SCRUB_BYTES_PER_SECOND
        while self._readable > 0:
            item = next(self._unread, None)
            if item is None:
                # From the beginning, the next time.
                self._unread = self._objects()
                return
            self._readable -= item.size
            if _is_bad(item.path) and _delete(item):
                logger.error("A kept file went bad and was deleted: %s", item.path)
                yield item

    def _objects(self) -> Iterator[_Kept]:
        yield from self._files_of(OBJECTS)
        yield from self._files_of(LARGE)

    def _files_of(self, top: str) -> Iterator[_Kept]:
        for registry_id, directory in _registries(self._root / top):
            for entry in _files(directory):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    # At least a block, for its name and its directories.
                    size = max(status.st_blocks * 512, LEAST_BYTES)
                    used_at, is_tag = status.st_atime, top == TAGS
                    yield _Kept(used_at, size, entry.path, registry_id, is_tag)

    def _delete_empty_directories(self) -> None:
        for top in (OBJECTS, LARGE, TAGS):
            for path, directories, _ in os.walk(self._root / top, topdown=False):
                for name in directories:
                    with contextlib.suppress(OSError):
                        Path(path, name).rmdir()


def _registries(directory: Path) -> Iterator[tuple[uuid.UUID, Path]]:
    """Return the directories of registries; what else is there, is not Berth's."""
    with contextlib.suppress(FileNotFoundError):
        for path in directory.iterdir():
            with contextlib.suppress(ValueError):
                yield uuid.UUID(path.name), path


def _files(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Return the files below a directory, which may disappear at any time."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry


def _is_bad(path: str) -> bool:
    """Return whether an object differs from its name; False if it is gone."""
    try:
        with io.FileIO(path, "rb", opener=_without_use) as file:
            status = os.fstat(file.fileno())
            hashed = hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, PermissionError):
        return False
    except OSError:
        # Its disk does not return the bytes any more.
        return True
    digest = Path(path).name.partition(".")[0]
    return not is_whole(status) or digest != f"sha256:{hashed}"


def _without_use(path: str, flags: int) -> int:
    # Reading it here must not make it look used.
    return os.open(path, flags | os.O_NOATIME)


def _delete(item: _Kept) -> bool:
    try:
        Path(item.path).unlink()
    except OSError:
        return False
    return True
