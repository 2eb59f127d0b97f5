"""Ports that must be free, with messages that a person can act on."""

from __future__ import annotations

import contextlib
import socket

import psutil

from deploy.local.process import LocalStackError


def require_free_port(port: int, *, purpose: str, variable: str) -> None:
    """Return if nothing listens on ``port`` of the loopback address.

    Raises:
        LocalStackError: a process does; the message names it where it can be seen,
            and ``variable``, which chooses another port.
    """
    with socket.socket() as probe:
        # As servers do, or connections of a demo just stopped would block its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalStackError(
                f"Port {port}, wanted for {purpose}, cannot be used: {error.strerror}. "
                f"It belongs to {_holder(port)}. Stop it, or choose another port with "
                f"{variable}=PORT."
            ) from error


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr.port == port and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f"{name} (process {connection.pid})"
    return "a process of another user or to the system"
