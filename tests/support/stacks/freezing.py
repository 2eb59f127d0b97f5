"""Freezes a server: it keeps its connections, accepts new ones, and never answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from deploy.local.process import ManagedProcess


@contextmanager
def frozen(process: ManagedProcess) -> Iterator[None]:
    """Stop a process and its children with SIGSTOP; continue them at the end."""
    parent = psutil.Process(process.pid)
    parent.suspend()  # first, so that it starts no other child
    stopped = [parent, *parent.children(recursive=True)]
    for child in stopped[1:]:
        child.suspend()
    try:
        yield
    finally:
        for member in reversed(stopped):
            member.resume()
