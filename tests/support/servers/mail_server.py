"""A mail server: keeps what it is sent, and is as slow or broken as a test wants."""

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
    """What tests read and set. Recipients of what it took, in the order that it did."""

    port: int = 0
    connections: int = 0
    taken: list[str] = field(default_factory=list)
    delay_seconds: float = 0
    # Recipients that it refuses, and such at whose mails it breaks the connection.
    refuses: str = ""
    hangs_up_at: str = ""
    # Whether it breaks connections without an answer to QUIT.
    is_rude: bool = False


class _Handler(socketserver.StreamRequestHandler):
    def __init__(self, found: MailServer, *args: Any) -> None:
        self.found = found
        super().__init__(*args)

    def handle(self) -> None:
        self.found.connections += 1
        self.answer(220)
        recipient = ""
        while line := self.rfile.readline().decode().strip():
            match line[:4].upper():
                case "RCPT":
                    recipient = line.partition("<")[2].partition(">")[0]
                    self.answer(550 if recipient == self.found.refuses else 250)
                case "DATA" if recipient == self.found.hangs_up_at:
                    return
                case "DATA":
                    self.take(recipient)
                case "QUIT" if self.found.is_rude:
                    return
                case _:
                    self.answer(250)

    def take(self, recipient: str) -> None:
        self.answer(354)
        while self.rfile.readline() != b".\r\n":
            pass
        time.sleep(self.found.delay_seconds)
        self.found.taken.append(recipient)
        self.answer(250)

    def answer(self, code: int) -> None:
        self.wfile.write(f"{code} x\r\n".encode())


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Listen on a free loopback port until the end."""
    found = MailServer()
    handler = partial(_Handler, found)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
