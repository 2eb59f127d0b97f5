"""How hosts are asked: few requests at a time, with patience that comes to an end.

All is kept by the host that is really asked: a registry, its token server, or where one
of them sends us. What one image meets on another host says nothing of its registry.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from installer.net.client import NoAnswer, Trouble
from installer.net.registry import Busy

AT_ONCE_PER_HOST: Final = 4
_TIME_OUTS: Final = 3
_TOO_MANY_REQUESTS: Final = 429
# What is true of a host, and not of one image on it.
_OF_A_HOST: Final = frozenset({Trouble.DNS, Trouble.TLS, Trouble.UNREACHABLE})


class Stopped(Exception):  # noqa: N818 -- states the fact
    """Nobody waits for an answer any more."""


class Gates:
    """What is known of each host, for one run. ``max_wait`` is for each of them."""

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._slots: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(AT_ONCE_PER_HOST)
        )
        self._not_before: dict[str, float] = {}
        self._waited: defaultdict[tuple[str, int], _Waited] = defaultdict(_Waited)
        self._time_outs: defaultdict[str, int] = defaultdict(int)
        self._answered: dict[str, float] = {}
        self._down: dict[str, Callable[[], Exception]] = {}

    def stop(self) -> None:
        """Let nobody ask any more, nor wait."""
        self._stopped.set()

    def slot(self, host: str) -> threading.Semaphore:
        with self._lock:
            return self._slots[host]

    @contextmanager
    def visit(self, host: str) -> Iterator[None]:
        """Let one request through when the host may be asked, and learn from it.

        Raises:
            NoAnswer, Busy: the host has shown already that it will not answer.
            Stopped: nobody waits for the answer.
        """
        self._enter(host)
        began, is_silent = time.monotonic(), False
        try:
            yield
        except NoAnswer as trouble:
            is_silent = trouble.trouble is Trouble.TIMED_OUT
            self._note(trouble, began)
            raise
        finally:
            if not is_silent:
                with self._lock:
                    self._answered[host] = time.monotonic()
                    self._time_outs[host] = 0

    def pause(self, busy: Busy, seconds: float) -> bool:
        """Ask the host no more for a while; false if that is more than there is.

        Then it is not asked again in this run.
        """
        with self._lock:
            until = time.monotonic() + seconds
            if self._spend(busy, until):
                known = self._not_before.get(busy.host, 0.0)
                self._not_before[busy.host] = max(until, known)
                return True
            again = partial(Busy, busy.status, busy.headers, busy.host)
            self._down[busy.host] = again
            return False

    def rest(self, busy: Busy, seconds: float) -> bool:
        """Wait for the sake of one image; false, and at once, if there is no time."""
        with self._lock:
            has_time = self._spend(busy, time.monotonic() + seconds)
        if has_time and self._stopped.wait(seconds):
            raise Stopped
        return has_time

    def _spend(self, busy: Busy, until: float) -> bool:
        """Take a wait from what there is. Waits of several at the same time are one."""
        # Apart, so that one broken repository uses up nothing of its host's.
        kind = busy.status if busy.status == _TOO_MANY_REQUESTS else 0
        return self._waited[busy.host, kind].add(until, self._max_wait)

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

    def _note(self, trouble: NoAnswer, began: float) -> None:
        host, is_silent = trouble.host, trouble.trouble is Trouble.TIMED_OUT
        with self._lock:
            # A host that answered others in this time is not silent itself.
            if is_silent and self._answered.get(host, 0.0) < began:
                self._time_outs[host] += 1
            is_down = is_silent and self._time_outs[host] >= _TIME_OUTS
            if is_down or trouble.trouble in _OF_A_HOST:
                again = partial(NoAnswer, trouble.trouble, str(trouble), host)
                self._down[host] = again


class _Waited:
    """How long was waited in all."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._until = 0.0

    def add(self, until: float, limit: float) -> bool:
        """Add what is not waited for already, unless that is over the limit."""
        more = max(0.0, until - max(self._until, time.monotonic()))
        if self._seconds + more > limit:
            return False
        self._seconds += more
        self._until = max(self._until, until)
        return True
