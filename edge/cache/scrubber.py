"""Looks for objects whose bytes went bad on the disk."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edge.cache.kept_files import KeptFile, objects
from edge.cache.marks import is_whole

logger = logging.getLogger(__name__)
BYTES_PER_SECOND = 8 * 2**20
# After a longer pause it does not read more to catch up.
_MOST_SECONDS = 60.0


class Scrubber:
    """Reads all objects of a cache again and again, a few each time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unread: Iterator[KeptFile] = iter(())
        self._ran_at = time.monotonic()
        self._readable = 0.0

    def run_once(self) -> Counter[uuid.UUID]:
        """Delete what went bad; return how many objects that were, by registry."""
        now = time.monotonic()
        seconds = min(now - self._ran_at, _MOST_SECONDS)
        self._ran_at = now
        self._readable = min(self._readable, 0) + seconds * BYTES_PER_SECOND
        deleted: Counter[uuid.UUID] = Counter()
        while self._readable > 0:
            item = next(self._unread, None)
            if item is None:
                # From the beginning, the next time.
                self._unread = objects(self._root)
                break
            self._readable -= item.size
            try:
                is_bad = _is_bad(item.path)
            except OSError as error:
                # It may pass. One line each time is enough, so the rest waits.
                logger.warning("A kept file could not be read: %s", error)
                break
            if is_bad and item.delete():
                logger.error("A kept file went bad and was deleted: %s", item.path)
                deleted[item.registry_id] += 1
        return deleted


def _is_bad(path: str) -> bool:
    """Return whether an object differs from its name, or the disk has lost it.

    Raises:
        OSError: it cannot be known now.
    """
    try:
        with io.FileIO(path, "rb", opener=_without_use) as file:
            status, digest = os.fstat(file.fileno()), _digest_on_disk(file)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EIO:
            return True
        raise
    return not is_whole(status) or digest != Path(path).name.partition(".")[0]


def _without_use(path: str, flags: int) -> int:
    # Reading it here must not make it look used.
    return os.open(path, flags | os.O_NOATIME)


def _digest_on_disk(file: io.FileIO) -> str:
    # Not what is in memory; and what others read must not give way to this.
    _drop_from_memory(file)
    try:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    finally:
        _drop_from_memory(file)


def _drop_from_memory(file: io.FileIO) -> None:
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
