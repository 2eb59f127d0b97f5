"""The programs that generate load."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from bench.harness.errors import BenchError


def require_tools(*programs: str) -> None:
    """Check that programs are installed.

    Raises:
        BenchError: some are missing; the message says how to install them.
    """
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        names = " ".join(missing)
        raise BenchError(
            f"The benchmark needs these programs: {names}. The Debian and Ubuntu "
            f"packages have the same names: sudo apt-get install {names}"
        )


def run_tool(command: Sequence[str]) -> str:
    """Run a program and return what it printed.

    Raises:
        BenchError: it failed.
    """
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise BenchError(f"{command[0]} failed:\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def first_line(command: Sequence[str]) -> str:
    """Return the first line that a program prints, even if it fails."""
    if shutil.which(command[0]) is None:
        return "unknown"
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    return (outcome.stdout or outcome.stderr).partition("\n")[0]
