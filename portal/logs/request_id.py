"""The ID of the request that is served, or of the task that runs.

nginx makes it, and edge and portal log it, return it, and pass it on to the tasks that
a request starts. A request without one gets its own.
"""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar, Token

# The key of a task's message.
HEADER = "berth_request_id"
_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the ID; "" outside of requests and tasks."""
    return _current.get()


def begin_request(given: str) -> Token[str]:
    """Use the ID that a trusted proxy has given; a new one if it has none.

    ``end_request`` takes what this returns.
    """
    return _current.set(given if _FORM.fullmatch(given) else uuid.uuid4().hex)


def end_request(token: Token[str]) -> None:
    _current.reset(token)
