"""How browser tests ask for rows: see ``tests/support/stacks/seeder_process.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from deploy.local.process import ManagedProcess

PROJECT = Path(__file__).resolve().parents[3]


class Seeder:
    """A process that makes rows in the database of a portal."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        ManagedProcess.logs.add(log)
        with log.open("ab") as stderr:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.support.stacks.seeder_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                cwd=PROJECT,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # It ends when its input does.
        self._child.communicate(timeout=30)

    def __call__(self, name: str, **arguments: object) -> Any:
        """Call one of the process's functions and return what it returns."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps([name, arguments]) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        assert answer, f"The seeder ended:\n{self._log.read_text()}"
        return json.loads(answer)
