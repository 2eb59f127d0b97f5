"""A short proof of revocation, while processes are killed and frozen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.e2e.conftest import PROJECT

# Not the settings of the tests' own servers.
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


@pytest.mark.timeout(400)
def test_rights_end_within_a_second_whatever_fails() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "revocation"],
        cwd=PROJECT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
    )

    # The message names the file of the history, and the seed is there to repeat it.
    assert run.returncode == 0, run.stderr
    assert "| Violations | at most 0 | 0 | met |" in run.stdout
    assert "**missed**" not in run.stdout, f"{run.stdout}\n{run.stderr}"
