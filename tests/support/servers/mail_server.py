"""A mail server that keeps what it is sent, and is slow or broken on demand."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any


@dataclass
class MailServer:
    """What tests read and set; ``taken`` has the recipients of accepted mails."""

    port: int = 0
    connections: int = 0
    taken: list[str] = field(default_factory=list)
    delay_seconds: float = 0
    # A recipient that it refuses, and one whose mails break the connection.
    refuses: str = ""
    hangs_up_at: str = ""
    # Whether it breaks connections without an answer to QUIT.
    is_rude: bool = False


class _Handler(socketserver.StreamRequestHandler):
    def __init__(self, state: MailServer, *args: Any) -> None:
        self.state = state
        super().__init__(*args)

    def handle(self) -> None:
        self.state.connections += 1
        self.answer(220)
        recipient = ""
        while line := self.rfile.readline().decode().strip():
            match line[:4].upper():
                case "RCPT":
                    recipient = line.partition("<")[2].partition(">")[0]
                    self.answer(550 if recipient == self.state.refuses else 250)
                case "DATA" if recipient == self.state.hangs_up_at:
                    return
                case "DATA":
                    self.take(recipient)
                case "QUIT" if self.state.is_rude:
                    return
                case _:
                    self.answer(250)

    def take(self, recipient: str) -> None:
        self.answer(354)
        while self.rfile.readline() != b".\r\n":
            pass
        time.sleep(self.state.delay_seconds)
        self.state.taken.append(recipient)
        self.answer(250)

    def answer(self, code: int) -> None:
        self.wfile.write(f"{code} x\r\n".encode())


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Listen on a free loopback port until the end."""
    state = MailServer()
    handler = partial(_Handler, state)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
