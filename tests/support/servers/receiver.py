"""A receiver of webhooks: keeps what it is sent, and answers as a test chooses."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.servers.canned_server import Answer, Request, http_server


@dataclass
class Received:
    headers: dict[str, str]
    body: str
    path: str


@dataclass
class Receiver:
    """What tests read and set. ``status`` is that of the next answers.

    ``delay_seconds`` is for paths that begin with ``slow_path``.
    """

    host: str = ""
    status: int = 204
    delay_seconds: float = 0
    slow_path: str = ""
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"

    def answer(self, request: Request) -> Answer:
        given = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(given, request.body.decode(), request.path))
        if request.path.startswith(self.slow_path):
            time.sleep(self.delay_seconds)
        headers = {"Location": "http://169.254.169.254/", "Connection": "close"}
        return Answer(self.status, headers)


@contextlib.contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Listen on a free loopback port until the end."""
    receiver = Receiver()
    with http_server(receiver.answer) as port:
        receiver.host = f"127.0.0.1:{port}"
        yield receiver
