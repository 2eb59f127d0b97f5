"""What Linux reports about a process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness.errors import BenchError


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(pids: Sequence[int]) -> None:
    """Return once processes use no processor time for a moment, or after a while."""
    deadline = time.monotonic() + 3
    before, now = -1.0, 0.0
    while before != now and time.monotonic() < deadline:
        before = sum(map(cpu_seconds, pids))
        time.sleep(0.1)
        now = sum(map(cpu_seconds, pids))


def peak_memory_bytes(pid: int) -> int:
    """Return a process's peak resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise BenchError("This system does not report the peak memory of a process.")
