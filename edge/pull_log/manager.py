"""Counts nginx's log: each line once, however often the process is killed."""

from __future__ import annotations

import fcntl
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from django.db import Error, connection

from edge.cache.eviction import Evictor
from edge.cache.place import Place
from edge.pull_log.counting import LogCounter
from edge.pull_log.evictions import Evictions
from edge.pull_log.follower import LogFollower
from edge.pull_log.line import LoggedAnswer, MalformedLine, parse_line
from edge.pull_log.stopping import Stopping
from portal.database.deadlines import waiting_at_most
from registries.pulls.log_position import (
    Position,
    record_log,
    record_that_all_is_read,
    stored_position,
)
from registries.pulls.usage import evictions_today, record_usage

T = TypeVar("T")
logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# Fewer are no backlog: the next ones can wait to be stored together.
MANY_LINES = 1000
IDLE_SECONDS = 30.0
WRITE_DEADLINE_SECONDS = 20
RETRY_SECONDS = 3.0
REPORT_SECONDS = 60.0
# Read again after a start: which pulls the next lines may be parts of.
REMEMBERED_BYTES = 32 * 2**20


class AlreadyManaged(Exception):  # noqa: N818 -- states the fact
    """Another cache manager reads this log."""


class Stopped(Exception):  # noqa: N818 -- states the fact
    """The process was asked to end while the database was unavailable."""


@contextmanager
def only_reader(log: Path) -> Iterator[uuid.UUID]:
    """Be the only reader of a log while inside; yield the log's ID.

    The ID is kept in the lock file, so that it belongs to the log, whatever the host is
    called.

    Raises:
        AlreadyManaged: another process reads it.
        OSError: the lock file cannot be written.
    """
    path = log.with_name(f"{log.name}.lock")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyManaged(f"Another cache manager reads {log}.") from error
        try:
            log_id = uuid.UUID(file.read().strip())
        except ValueError:
            log_id = uuid.uuid4()
            file.seek(0)
            file.write(f"{log_id}\n")
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        yield log_id


class CacheManager:
    """Reads, counts and stores until it is stopped; evicts in a thread."""

    def __init__(
        self,
        log: Path | None,
        stopping: Stopping,
        *,
        cache_dir: Path | None = None,
        evictor: Evictor | None = None,
    ) -> None:
        self._log = log
        self._stopping = stopping
        self._counter = LogCounter(cache_dir)
        self._evictor = evictor
        self._evictions = Evictions(evictor, stopping) if evictor else None
        self._malformed = _MalformedLines(log)

    def run(self) -> None:
        """Run until stopped; the batch at hand is finished first.

        Raises:
            AlreadyManaged: another process reads the log.
            OSError: the log cannot be read.
            PositionMoved: another process has counted it.
        """
        try:
            if self._log is None:
                self._only_evict()
                return
            with only_reader(self._log) as log_id:
                if self._evictions:
                    self._evictions.start()
                self._follow(self._log, log_id)
        except Stopped:
            logger.warning("Stopped; the rest is counted later.")

    def _only_evict(self) -> None:
        if self._evictions:
            self._evictions.start()
        while not self._stopping.wait(POLL_SECONDS):
            self._store_evictions()

    def _follow(self, log: Path, log_id: uuid.UUID) -> None:
        position, read_at = self._stored(lambda: stored_position(log_id))
        follower = LogFollower(log, position, read_at.timestamp() if read_at else 0.0)
        self._remember(follower)
        idle_since = time.monotonic()
        while not self._stopping.is_set():
            if lines := follower.read():
                self._count(log_id, position, follower, lines)
                position, idle_since = follower.position, time.monotonic()
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                self._stored(lambda: record_that_all_is_read(log_id))
                idle_since = time.monotonic()
            self._store_evictions()
            if len(lines) < MANY_LINES:
                self._stopping.wait(POLL_SECONDS)
        follower.close()

    def _remember(self, follower: LogFollower) -> None:
        """Read what was counted last again, for the pulls that go on."""
        self._counter.count(self._parsed(follower.lines_before(REMEMBERED_BYTES))[0])

    def _count(
        self,
        log_id: uuid.UUID,
        before: Position,
        follower: LogFollower,
        lines: list[bytes],
    ) -> None:
        answers, malformed = self._parsed(lines)
        malformed += follower.take_incomplete_lines()
        if malformed:
            self._malformed.report(malformed)
        usage, after = self._counter.count(answers), follower.position
        self._stored(lambda: record_log(log_id, before, after, usage, malformed))
        self._touch(answers)

    def _parsed(self, lines: Iterable[bytes]) -> tuple[list[LoggedAnswer], int]:
        answers, malformed = [], 0
        for line in lines:
            try:
                answer = parse_line(line)
            except MalformedLine:
                malformed += 1
                continue
            if answer is not None:
                answers.append(answer)
        return answers, malformed

    def _touch(self, answers: list[LoggedAnswer]) -> None:
        """Note the use of objects that nginx served, which the evictor cannot see."""
        if self._evictor is None:
            return
        used = {
            (answer.place, answer.kind, answer.digest)
            for answer in answers
            if answer.is_hit
        }
        for place, kind, digest in used:
            registry_id, _, right = place.partition("/")
            self._evictor.touch(Place(registry_id, right), kind, digest)

    def _store_evictions(self) -> None:
        if self._evictions and (evicted := self._evictions.take()):
            self._stored(lambda: record_usage(evictions_today(evicted)))

    def _stored(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does in the database, repeated until it answers.

        Raises:
            Stopped: the process is to end.
        """
        while True:
            try:
                with waiting_at_most(WRITE_DEADLINE_SECONDS):
                    return work()
            except Error as error:
                logger.warning("Pulls could not be counted; retrying: %s", error)
                connection.close()
            if self._stopping.wait(RETRY_SECONDS):
                raise Stopped


class _MalformedLines:
    """Reports skipped lines, at most once a minute."""

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._unreported = 0
        self._reported_at = -REPORT_SECONDS

    def report(self, number: int) -> None:
        self._unreported += number
        now = time.monotonic()
        if now - self._reported_at >= REPORT_SECONDS:
            # Not their content: who wrote them is unknown.
            logger.warning(
                "%s has malformed lines; skipped: %s", self._log, self._unreported
            )
            self._unreported, self._reported_at = 0, now
