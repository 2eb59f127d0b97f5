"""Keeping the disk cache within its limits, in a thread of the cache manager."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter

from edge.cache.eviction import Evictor
from edge.pull_log.stopping import Stopping

PAUSE_SECONDS = 30.0
logger = logging.getLogger(__name__)


class Evictions:
    """Runs an evictor every half minute, and counts what it evicts."""

    def __init__(self, evictor: Evictor, stopping: Stopping) -> None:
        self._evictor = evictor
        self._stopping = stopping
        self._counted: Counter[uuid.UUID] = Counter()
        self._lock = threading.Lock()

    def start(self) -> None:
        # A daemon: a slow disk does not hold up the end of the process.
        threading.Thread(target=self._run, name="eviction", daemon=True).start()

    def take(self) -> Counter[uuid.UUID]:
        """Return the evictions since the last call."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        return counted

    def give_back(self, counted: Counter[uuid.UUID]) -> None:
        with self._lock:
            self._counted += counted

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.give_back(self._evictor.run_once())
            except Exception:
                logger.exception("The cache could not be cleaned up; retrying")
            self._stopping.wait(PAUSE_SECONDS)
