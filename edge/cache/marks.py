"""The times of a kept file: what they say, and how to set them.

A whole object has the modification time WHOLE_SECOND. A later write to the file changes
that, and then neither the edge nor nginx serves it. Its access time says when it was
last used.
"""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

WHOLE_SECOND = 1
_WHOLE_NS = WHOLE_SECOND * 10**9

# linux/stat.h; os.utime() cannot leave one of the two times as it is.
_UTIME_NOW = (1 << 30) - 1
_UTIME_OMIT = (1 << 30) - 2
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def mark_whole(file: int) -> None:
    """Mark an open file as whole, and as used now."""
    os.utime(file, ns=(time.time_ns(), _WHOLE_NS))


def is_whole(status: os.stat_result) -> bool:
    """Return whether nobody wrote to a file since it was marked."""
    return status.st_mtime_ns == _WHOLE_NS


def mark_used(path: Path) -> None:
    """Set the access time to now, and leave the modification time alone.

    Reading it first and setting it again could hide a change between the two.

    Raises:
        OSError: there is no such file, or it belongs to somebody else.
    """
    times = (_Timespec * 2)(_Timespec(0, _UTIME_NOW), _Timespec(0, _UTIME_OMIT))
    if _libc.utimensat(_AT_FDCWD, os.fsencode(path), times, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
