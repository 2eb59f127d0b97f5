"""The files of the disk cache, one after the other: a million do not fit in memory."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge.cache.store import LARGE, OBJECTS
from edge.cache.tags import TAGS

# What an empty file takes.
_LEAST_BYTES = 4096


class KeptFile(NamedTuple):
    """An object or tag; the one unused for the longest time sorts first."""

    used_at: float
    size: int
    path: str
    registry_id: uuid.UUID
    is_tag: bool

    def delete(self) -> bool:
        """Return whether it could be deleted."""
        try:
            Path(self.path).unlink()
        except OSError:
            return False
        return True


def objects(root: Path) -> Iterator[KeptFile]:
    """Return what registries have in a cache, without their tags."""
    yield from _files_of(root, OBJECTS)
    yield from _files_of(root, LARGE)


def objects_and_tags(root: Path) -> Iterator[KeptFile]:
    yield from objects(root)
    yield from _files_of(root, TAGS)


def files(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Return the files below a directory, which may disappear at any time."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files(Path(entry.path))
            else:
                yield entry


def _files_of(root: Path, top: str) -> Iterator[KeptFile]:
    for registry_id, directory in _registries(root / top):
        for entry in files(directory):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                # At least a block, for its name and its directories.
                size = max(status.st_blocks * 512, _LEAST_BYTES)
                is_tag = top == TAGS
                # A tag is written again when the upstream confirms it.
                used_at = status.st_mtime if is_tag else status.st_atime
                yield KeptFile(used_at, size, entry.path, registry_id, is_tag)


def _registries(directory: Path) -> Iterator[tuple[uuid.UUID, Path]]:
    """Return the directories of registries; what else is there, is not Berth's."""
    with contextlib.suppress(FileNotFoundError):
        for path in directory.iterdir():
            with contextlib.suppress(ValueError):
                yield uuid.UUID(path.name), path
