"""Limits for each host: requests at a time, time spent waiting, failures.

Each limit belongs to the host that is actually asked: a registry, its token server, or
the target of a redirect. Another host's trouble says nothing about the registry.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from installer.net.failures import Failure, RequestError
from installer.net.registry import TOO_MANY_REQUESTS, Busy

REQUESTS_PER_HOST: Final = 4
_MAX_TIMEOUTS: Final = 3
# Failures of a whole host, rather than of one image on it.
_OF_HOST: Final = frozenset({Failure.DNS, Failure.TLS, Failure.UNREACHABLE})


class Stopped(Exception):  # noqa: N818 -- states the fact
    """The run was interrupted."""


class HostLimits:
    """The state of each host in one run. ``max_wait`` is for each of them."""

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._slots: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(REQUESTS_PER_HOST)
        )
        self._not_before: dict[str, float] = {}
        self._waited: defaultdict[tuple[str, int], _WaitingTime]
        self._waited = defaultdict(_WaitingTime)
        self._timeouts: defaultdict[str, int] = defaultdict(int)
        self._last_response: dict[str, float] = {}
        self._down: dict[str, Callable[[], Exception]] = {}

    def stop(self) -> None:
        """End all waiting, and let no more requests through."""
        self._stopped.set()

    def slot(self, host: str) -> threading.Semaphore:
        with self._lock:
            return self._slots[host]

    @contextmanager
    def visit(self, host: str) -> Iterator[None]:
        """Let one request through when the host's pause ends, and record its outcome.

        Raises:
            RequestError, Busy: the host is known to be down.
            Stopped: the run was interrupted.
        """
        self._enter(host)
        started, timed_out = time.monotonic(), False
        try:
            yield
        except RequestError as error:
            timed_out = error.failure is Failure.TIMED_OUT
            self._record(error, started)
            raise
        finally:
            if not timed_out:
                with self._lock:
                    self._last_response[host] = time.monotonic()
                    self._timeouts[host] = 0

    def pause(self, busy: Busy) -> bool:
        """Pause all requests to the host; return whether there is time for that.

        If not, the host is not asked again in this run.
        """
        with self._lock:
            until = time.monotonic() + busy.retry_after
            if self._spend(busy, until):
                known = self._not_before.get(busy.host, 0.0)
                self._not_before[busy.host] = max(until, known)
                return True
            again = partial(Busy, busy.status, busy.retry_after, busy.host)
            self._down[busy.host] = again
            return False

    def wait(self, busy: Busy) -> bool:
        """Wait for one image; return at once with False if there is no time for that.

        Raises:
            Stopped: the run was interrupted.
        """
        with self._lock:
            has_time = self._spend(busy, time.monotonic() + busy.retry_after)
        if has_time and self._stopped.wait(busy.retry_after):
            raise Stopped
        return has_time

    def _spend(self, busy: Busy, until: float) -> bool:
        """Spend waiting time of the host. Simultaneous waits count once."""
        # Separate budgets, so that a broken repository leaves the host's for 429 alone.
        kind = busy.status if busy.status == TOO_MANY_REQUESTS else 0
        return self._waited[busy.host, kind].spend(until, self._max_wait)

    def _enter(self, host: str) -> None:
        while not self._stopped.is_set():
            with self._lock:
                down = self._down.get(host)
                left = self._not_before.get(host, 0.0) - time.monotonic()
            if down is not None:
                raise down()
            if left <= 0:
                return
            self._stopped.wait(left)
        raise Stopped

    def _record(self, error: RequestError, started: float) -> None:
        host, timed_out = error.host, error.failure is Failure.TIMED_OUT
        with self._lock:
            # A host that responded to another request since then is not down.
            if timed_out and self._last_response.get(host, 0.0) < started:
                self._timeouts[host] += 1
            is_down = timed_out and self._timeouts[host] >= _MAX_TIMEOUTS
            if is_down or error.failure in _OF_HOST:
                again = partial(RequestError, error.failure, str(error), host)
                self._down[host] = again


class _WaitingTime:
    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = 0.0

    def spend(self, until: float, limit: float) -> bool:
        """Add the part that is not waited for already, unless it exceeds the limit."""
        more = max(0.0, until - max(self._until, time.monotonic()))
        if self._seconds + more > limit:
            return False
        self._seconds += more
        self._until = max(self._until, until)
        return True
