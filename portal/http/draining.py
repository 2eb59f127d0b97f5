"""Serving on for a while after SIGTERM, as not ready.

Load balancers learn from ``/readyz`` that they should send requests elsewhere. Until
they have looked, a process that does not listen any more would fail those requests.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)
_begun = threading.Event()


def drain_on_sigterm() -> None:
    """Let the server go on for ``BERTH_DRAIN_SECONDS`` after SIGTERM.

    Call it in the main thread, before others are started. SIGINT still ends the server
    at once.
    """
    if not settings.BERTH_DRAIN_SECONDS or _waiter.is_alive():
        return
    # One thread waits for the signal, and all others begin with it blocked: the server
    # installs its own handler later, and in some servers no other code runs in the
    # main thread after that.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    _waiter.start()


def is_draining() -> bool:
    """Return whether the process will end soon, though it still serves."""
    return _begun.is_set()


def _drain() -> None:
    signal.sigwait({signal.SIGTERM})
    seconds = settings.BERTH_DRAIN_SECONDS
    logger.info("Not ready any more; the server stops in %s seconds.", seconds)
    _begun.set()
    time.sleep(seconds)
    stop: Any = signal.getsignal(signal.SIGTERM)
    stop(signal.SIGTERM, None)


_waiter = threading.Thread(target=_drain, name="drain", daemon=True)
