from __future__ import annotations

import time

_STEP_SECONDS = 0.1


class Stopping:
    """A request to end, made by a signal.

    The handler of a signal must not set a threading.Event that its thread waits for:
    it may hold the Event's lock.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for the request; return whether it was made."""
        until = time.monotonic() + seconds
        while not self._is_set and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _STEP_SECONDS))
        return self._is_set
