"""Child processes with a log file and a readiness check, stopped for certain."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

import psutil
import urllib3

TAIL_LINES = 20


class LocalStackError(Exception):
    """The local stack cannot start or continue; the message says what to do."""


class ManagedProcess:
    """A child in its own session, which ends on ``stop()`` or with its parent.

    Start it from a thread that outlives it: to Linux, the end of that thread is the
    end of the parent.
    """

    # Of every process that was started.
    logs: ClassVar[set[Path]] = set()

    def __init__(
        self,
        argv: Sequence[str],
        *,
        name: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        setpriv_options: Sequence[str] = (),
        stdin: str = "",
    ) -> None:
        self.name = name
        self.log = log
        self.logs.add(log)
        self._stop_signal = stop_signal
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._log_start = os.fstat(descriptor).st_size
        try:
            self._child = subprocess.Popen(
                [*_setpriv(stop_signal, setpriv_options), *argv],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        if self._child.stdin is not None:
            _write_input(self._child.stdin, stdin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while the process runs."""
        return self._child.poll()

    def wait_until(self, check: Callable[[], bool], seconds: float) -> None:
        """Return once ``check`` is true; on any exception, stop the process.

        Raises:
            LocalStackError: the process ended, or was not ready in time. The message
                ends with its last log lines.
        """
        try:
            self._poll(check, seconds)
        except BaseException:  # Ctrl-C too: the caller does not have the process yet
            self.stop()
            raise

    def _poll(self, check: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            if self.exit_code is not None:
                raise self.failure(f"ended with exit code {self.exit_code}")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready within {seconds:g} s")
            time.sleep(0.05)

    def wait_for_http(self, url: str, seconds: float = 30) -> None:
        """Return once ``url`` answers with any status below 500."""
        self.wait_until(lambda: answers_http(url), seconds)

    def wait_for_success(self, seconds: float) -> None:
        """Return once the process has ended with exit code 0.

        Raises:
            LocalStackError: it failed, or did not end in time.
        """
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired as expired:
            self.stop()
            raise self.failure(f"did not end within {seconds:g} s") from expired
        if self.exit_code != 0:
            raise self.failure(f"ended with exit code {self.exit_code}")

    def stop(self, grace_seconds: float = 10) -> None:
        """Ask the process to end, then kill what is left of its session."""
        if self.exit_code is not None:
            return
        self._child.send_signal(self._stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(grace_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def log_tail(self) -> str:
        """The last lines that the process has logged since its start."""
        with self.log.open("rb") as stream:
            stream.seek(self._log_start)
            lines = stream.read().decode(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])

    def failure(self, what: str) -> LocalStackError:
        tail = self.log_tail() or "  (it logged nothing)"
        return LocalStackError(f"{self.name} {what}. From {self.log}:\n{tail}")

    def rss_bytes(self) -> int:
        """Resident memory of the process without its children."""
        return int(psutil.Process(self.pid).memory_info().rss)


def _write_input(pipe: IO[bytes], text: str) -> None:
    # A child that ends before it reads its input says why in its log.
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(text.encode())


def _setpriv(stop_signal: signal.Signals, options: Sequence[str]) -> list[str]:
    # Not preexec_fn: Python code between fork and exec can deadlock if the parent has
    # threads. One setpriv for everything: changing the user clears an earlier
    # parent-death signal. Without setpriv, children outlive a parent that is killed.
    command = shutil.which("setpriv")
    if command is None:
        return []
    death_signal = stop_signal.name.removeprefix("SIG")
    return [command, "--pdeathsig", death_signal, *options, "--"]


def free_port() -> int:
    """Return a loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers_http(url: str) -> bool:
    """Return whether ``url`` answers with any status below 500."""
    try:
        response = urllib3.request(
            "GET", url, timeout=2, retries=False, redirect=False, preload_content=True
        )
    except urllib3.exceptions.HTTPError:
        return False
    return response.status < 500
