"""A traceback in any process's log fails the test that caused it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.process import ManagedProcess
from tests.support.stacks.tracebacks import tracebacks

PROJECT = Path(__file__).parents[2]
CHAINED = """\
INFO started
Traceback (most recent call last):
  File "a.py", line 1, in f
    g()
KeyError: 'a'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2, in g
ValueError: two
INFO continues
[ERROR/Worker-1] Task failed: Traceback (most recent call last):
  File "c.py", line 3, in h

  File "d.py", line 3, in h
OSError
INFO ends
"""
TEST = """\
import sys

import pytest

from deploy.local.process import ManagedProcess


def fails(path, name):
    log = path / f"{name}.log"
    argv = [sys.executable, "-c", f"raise ValueError('{name}')"]
    with ManagedProcess(argv, name=name, log=log) as process:
        process.wait_until(lambda: process.exit_code is not None, 30)


def test_one(tmp_path):
    fails(tmp_path, "unforeseen")


@pytest.mark.expected_traceback("ValueError: fore.*n")
def test_two(tmp_path):
    fails(tmp_path, "foreseen")


@pytest.mark.expected_traceback("another")
def test_three(tmp_path):
    fails(tmp_path, "different")


def test_four(tmp_path):
    pass
"""


def test_tracebacks_are_found_with_what_led_to_them() -> None:
    first, second = tracebacks(CHAINED)

    assert first.splitlines()[3] == "KeyError: 'a'"
    assert first.endswith("ValueError: two")
    assert second.endswith("OSError")
    assert tracebacks("INFO started\nINFO ends\n") == []


def test_a_traceback_fails_the_test_that_does_not_expect_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = expected_traceback\n")

    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.support.stacks.tracebacks"),
            *("-p", "no:randomly", "-p", "no:django", "-q", "-rA"),
            *("--rootdir", str(tmp_path), str(tmp_path)),
        ],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert "4 passed, 2 errors" in ran.stdout
    errors = re.findall(r"^ERROR \S+::(\w+)", ran.stdout, re.MULTILINE)
    assert errors == ["test_one", "test_three"]
    assert "ValueError: unforeseen" in ran.stdout


@pytest.mark.expected_traceback("ZeroDivisionError")
def test_the_check_runs_here(tmp_path: Path) -> None:
    log = tmp_path / "process.log"
    with ManagedProcess([sys.executable, "-c", "1/0"], name="it", log=log) as process:
        process.wait_until(lambda: process.exit_code is not None, 30)

    assert log in ManagedProcess.logs
    assert len(tracebacks(log.read_text())) == 1
