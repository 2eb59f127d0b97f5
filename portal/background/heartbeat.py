"""Signs of life of worker and beat: files that ``manage.py health`` looks at.

Files, because a worker's processes share nothing else, and a probe must not fail with
the broker. They are the only ones that worker and beat write.
"""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)


class Role(StrEnum):
    WORKER = "worker"
    BEAT = "beat"


def note(role: Role) -> None:
    """Write down that it did its work just now; nothing without BERTH_RUN_DIR."""
    if settings.BERTH_RUN_DIR:
        try:
            _file(role).touch()
        except OSError as error:
            logger.warning("%s cannot be written: %s", error.filename, error.strerror)


def seconds_since(role: Role) -> float | None:
    """Return how long ago it last did its work; None if it never did.

    Raises:
        OSError: the directory cannot be read.
    """
    try:
        return max(0.0, time.time() - _file(role).stat().st_mtime)
    except FileNotFoundError:
        return None


def _file(role: Role) -> Path:
    return Path(settings.BERTH_RUN_DIR) / f"berth-{role}.alive"
