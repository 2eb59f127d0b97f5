"""How far nginx's log has been counted, stored together with what it added up to."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from portal.database.retry import atomic_with_retry
from registries.models import PullLog
from registries.pulls.usage import Usage, record_usage


class Position(NamedTuple):
    """How far a log was read: bytes of the file with this inode and beginning."""

    inode: int = 0
    offset: int = 0
    beginning: str = ""


class PositionMoved(Exception):  # noqa: N818 -- states the fact
    """Somebody else has counted this log in the meantime."""


def stored_position(log_id: uuid.UUID) -> tuple[Position, datetime | None]:
    """Return how far a log has been counted, and when that was."""
    row = PullLog.objects.filter(pk=log_id).first()
    return (_position(row), row.read_at) if row else (Position(), None)


@atomic_with_retry
def record_log(
    log_id: uuid.UUID,
    before: Position,
    after: Position,
    usage: Usage,
    malformed_lines: int,
) -> None:
    """Add what the lines between two positions have used, once.

    Call it again if its answer was lost: it does nothing if it has been done.

    Raises:
        PositionMoved: the log has been counted up to another position.
    """
    PullLog.objects.get_or_create(pk=log_id)
    row = PullLog.objects.select_for_update().get(pk=log_id)
    if _position(row) == after:
        return
    if _position(row) != before:
        raise PositionMoved(f"{row}, not {before.offset} bytes of {before.inode}")
    record_usage(usage)
    row.inode, row.offset, row.beginning = after
    row.malformed_lines += malformed_lines
    row.read_at = timezone.now()
    row.save()


def record_that_all_is_read(log_id: uuid.UUID) -> None:
    PullLog.objects.filter(pk=log_id).update(read_at=timezone.now())


def _position(row: PullLog) -> Position:
    return Position(row.inode, row.offset, row.beginning)
