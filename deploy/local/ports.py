"""Who holds a port, for messages that a person can act on."""

from __future__ import annotations

import socket
from pathlib import Path

from deploy.local.process import LocalStackError

LISTENING = "0A"  # TCP_LISTEN, as /proc/net/tcp writes it


def require_free_port(port: int, *, purpose: str, variable: str) -> None:
    """Return if nothing listens on ``port`` of the loopback address.

    Raises:
        LocalStackError: something does; the message names it where that can be seen,
            and ``variable``, which chooses another port.
    """
    with socket.socket() as probe:
        # As servers do, or the remains of a demo just stopped would count as one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalStackError(
                f"Port {port}, wanted for {purpose}, cannot be used: {error.strerror}. "
                f"{_holder_sentence(port)} Stop it, or choose another port with "
                f"{variable}=PORT."
            ) from error


def _holder_sentence(port: int) -> str:
    holder = port_holder(port)
    if holder is None:
        return "It belongs to a process of another user or to the system."
    return f"It belongs to {holder}."


def port_holder(port: int) -> str | None:
    """Return "NAME (process PID)" of the listener, None where that cannot be seen."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in sockets for fd in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (process {process.name})"
        except OSError:
            continue  # gone meanwhile, or not ours to look into
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes
