"""Reads a log that grows and is rotated, from a position that outlives the reader."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from registries.pulls.log_position import Position

logger = logging.getLogger(__name__)

CHUNK_BYTES = 4 * 2**20
# nginx goes on writing to a renamed file until it is told to reopen its logs.
QUIET_SECONDS = 30.0
# The first line of a file, as far as it identifies the file.
BEGINNING_BYTES = 4096
# Attempts to open a file that is renamed at this moment.
TRIES = 5
_NOT_LOGS = (".lock", ".gz", ".xz", ".zst", ".bz2", ".tmp")


_START = Position()


class LogFollower:
    """Yields the complete lines of a log after a position, over rotations.

    Rotated files have the log's name and a suffix, as logrotate gives them: ``.1`` is
    the latest, or ``-20260301`` with dates. They must not be compressed before they
    were read.
    """

    def __init__(
        self, path: Path, position: Position = _START, read_at: float = 0.0
    ) -> None:
        """Begin at ``position``, as far as the log was read at a time ``read_at``."""
        self._path = path
        self.position = position
        self._read_at = read_at
        self._incomplete_lines = 0
        self._descriptor: int | None = None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read(self) -> list[bytes]:
        """Return some of the next complete lines, and move on; none if all are read.

        Raises:
            OSError: the log cannot be read.
        """
        while True:
            if self._descriptor is None and not self._open():
                return []
            if lines := self._read_lines():
                return lines
            if not self._move_on():
                return []

    def lines_before(self, limit: int) -> Iterator[bytes]:
        """Yield the lines before the position, of at most so many bytes."""
        if self._descriptor is None and not self._open():
            return
        rest = min(limit, self.position.offset)
        parts = [(os.dup(self._own), self.position.offset - rest, rest)]
        for path in reversed(self._files_before()):
            limit -= rest
            rest = min(limit, path.stat().st_size)
            start = path.stat().st_size - rest
            parts.insert(0, (os.open(path, os.O_RDONLY), start, rest))
        for descriptor, start, size in parts:
            with os.fdopen(descriptor, "rb") as file:
                file.seek(start)
                lines = file.read(size).split(b"\n")
                # The first line may have begun before.
                yield from lines[1 if start else 0 : -1]

    def take_incomplete_lines(self) -> int:
        """Return how many files ended in an incomplete line since the last call."""
        number, self._incomplete_lines = self._incomplete_lines, 0
        return number

    @property
    def _own(self) -> int:
        if self._descriptor is None:
            raise ValueError("No file is open.")
        return self._descriptor

    def _files(self) -> list[Path]:
        """Return the log's files, the oldest first."""
        rotated = [
            path
            for path in self._path.parent.iterdir()
            if path.name.startswith((f"{self._path.name}.", f"{self._path.name}-"))
            and not path.name.endswith(_NOT_LOGS)
            and path.is_file()
        ]
        rotated.sort(key=_age)
        return rotated + ([self._path] if self._path.exists() else [])

    def _files_before(self) -> list[Path]:
        files = self._files()
        inodes = [path.stat().st_ino for path in files]
        if self.position.inode not in inodes:
            return []
        return files[: inodes.index(self.position.inode)]

    def _open(self) -> bool:
        """Open the file of the position, or else the oldest that was not read."""
        for _ in range(TRIES):
            try:
                return self._try_to_open()
            except FileNotFoundError:
                continue  # renamed since it was listed
        return False

    def _try_to_open(self) -> bool:
        files = self._files()
        for path in files:
            if path.stat().st_ino == self.position.inode:
                descriptor = os.open(path, os.O_RDONLY)
                if self._is_of_position(descriptor):
                    self._descriptor = descriptor
                    return True
                os.close(descriptor)
        unread = [path for path in files if path.stat().st_mtime > self._read_at]
        if not unread:
            return False
        if self.position.inode:
            logger.error(
                "The file of %s that was read last is gone. Lines may have been lost.",
                self._path,
            )
        self._begin(unread[0])
        return True

    def _begin(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self.close()
        self._descriptor = descriptor
        self.position = Position(os.fstat(descriptor).st_ino)

    def _is_of_position(self, descriptor: int) -> bool:
        if os.fstat(descriptor).st_ino != self.position.inode:
            return False
        beginning = self.position.beginning
        return not beginning or beginning == _beginning(descriptor)

    def _read_lines(self) -> list[bytes]:
        inode, offset, beginning = self.position
        if os.fstat(self._own).st_size < offset:
            logger.error(
                "%s was truncated. Rotate it by renaming: lines may be lost.",
                self._path,
            )
            offset, beginning = 0, ""
        data = os.pread(self._own, CHUNK_BYTES, offset)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == CHUNK_BYTES:
            end = len(data)  # never a line of nginx; it is skipped as malformed
        if not end:
            return []
        beginning = beginning or _beginning(self._own)
        self.position = Position(inode, offset + end, beginning)
        return data[:end].removesuffix(b"\n").split(b"\n")

    def _move_on(self) -> bool:
        """Go on to the next file once nothing more can come in this one."""
        for _ in range(TRIES):
            try:
                return self._try_to_move_on()
            except FileNotFoundError:
                continue
        return False

    def _try_to_move_on(self) -> bool:
        files = self._files()
        inodes = [path.stat().st_ino for path in files]
        own = self.position.inode
        later = files[inodes.index(own) + 1 :] if own in inodes else files
        if not later:
            return False
        status = os.fstat(self._own)
        is_quiet = time.time() - status.st_mtime >= QUIET_SECONDS
        if status.st_size > self.position.offset:
            if not is_quiet:
                return False
            if os.pread(self._own, CHUNK_BYTES, self.position.offset).count(b"\n"):
                return True  # written since
            self._incomplete_lines += 1
        elif later[0] == self._path and not is_quiet:
            return False
        self._begin(later[0])
        return True


def _age(path: Path) -> tuple[int, str]:
    """Return what rotated files are sorted by: ``.1`` is the latest number."""
    suffix = path.suffix[1:]
    return (-int(suffix), "") if suffix.isdecimal() else (0, path.name)


def _beginning(descriptor: int) -> str:
    """Return a digest of a file's first line; "" if that is not complete yet."""
    line, newline, _ = os.pread(descriptor, BEGINNING_BYTES, 0).partition(b"\n")
    return hashlib.sha256(line).hexdigest() if newline else ""
