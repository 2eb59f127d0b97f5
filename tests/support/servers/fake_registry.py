"""A registry with Basic authentication and no images, whose answers a test chooses.

Debian's registry shows what a real one does; this one changes its mind on demand.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.servers.canned_server import Answer, Request, http_server


def _nothing() -> None:
    pass


@dataclass
class FakeRegistry:
    """``status`` other than 0 is the answer to everything."""

    login: tuple[str, str]
    endpoint: str = ""
    status: int = 0
    retry_after: str = ""
    forbidden: str = ""
    delay_seconds: float = 0
    on_request: Callable[[], None] = _nothing
    asked: int = 0

    def answer(self, request: Request) -> Answer:
        self.asked += 1
        self.on_request()
        time.sleep(self.delay_seconds)
        status = self._status(request)
        headers = {"Docker-Distribution-Api-Version": "registry/2.0"}
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="fake"'
        if status == 429:
            headers["Retry-After"] = self.retry_after
        return Answer(status, headers)

    def _status(self, request: Request) -> int:
        if self.status:
            return self.status
        pair = base64.b64encode(":".join(self.login).encode()).decode()
        if request.authorization != f"Basic {pair}":
            return 401
        return 403 if self.forbidden and self.forbidden in request.path else 200


@contextlib.contextmanager
def running_registry(login: tuple[str, str]) -> Iterator[FakeRegistry]:
    """Listen on a free loopback port until the end."""
    registry = FakeRegistry(login)
    with http_server(registry.answer) as port:
        registry.endpoint = f"127.0.0.1:{port}"
        yield registry
