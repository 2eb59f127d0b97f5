"""Containers of the image, as a careful operator runs them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from deploy.image.contents import podman
from deploy.image.story import StoryError

HEALTHY_SECONDS = 90
STOP_SECONDS = 30
KILLED = 137


class Containers:
    """Runs roles; removes all at the end, and prints their logs after a failure."""

    USER: ClassVar = 10001

    def __init__(
        self, image: str, environment: Mapping[str, str], shared: Path
    ) -> None:
        self._image = image
        self._started: list[str] = []
        self._options = [
            *("--network", "host", "--user", f"{self.USER}:{self.USER}"),
            *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
            *("--read-only", "--read-only-tmpfs=false"),
            *("--tmpfs", "/tmp:rw,nosuid,nodev,noexec,size=64m,mode=1777"),  # noqa: S108
            # Seen under the same path, as the environment names it.
            *("--volume", f"{shared}:{shared}"),
            *_variables(environment),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in self._started:
            if error is not None:
                sys.stderr.write(f"\nLog of {name}:\n")
                command = ["podman", "logs", "--tail", "30", name]
                subprocess.run(command, check=False, stdout=sys.stderr)
            podman("rm", "--force", "--time", "0", name)

    def run(self, *command: str) -> None:
        """Run a command to its end.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        podman("run", "--rm", *self._options, self._image, *command)
        print(f"ok: berth {' '.join(command[:2])}")

    def start(self, role: str, environment: Mapping[str, str]) -> None:
        """Start a role, with variables of its own."""
        name = _name(role)
        self._started.append(name)
        options = [*self._options, *_variables(environment)]
        podman("run", "--detach", "--name", name, *options, self._image, role)

    def wait_until_healthy(self, role: str) -> None:
        """Wait until the role's own health check succeeds.

        Raises:
            StoryError: it does not, for too long.
        """
        command = ["podman", "exec", _name(role), "berth", "health", role]
        began = time.monotonic()
        while True:
            result = subprocess.run(
                command, check=False, capture_output=True, text=True
            )
            if result.returncode == 0:
                break
            state = podman("inspect", "--format", "{{.State.Running}}", _name(role))
            if state.strip() != "true":
                raise StoryError(f"{role} has ended by itself.")
            if time.monotonic() - began > HEALTHY_SECONDS:
                raise StoryError(f"berth health {role}: {result.stderr}")
            time.sleep(0.5)
        print(f"ok: {role} is healthy after {time.monotonic() - began:.1f} s")

    def stop(self, role: str) -> None:
        """Stop a role as an engine does, by SIGTERM.

        Raises:
            StoryError: it had to be killed.
        """
        name = _name(role)
        podman("stop", "--time", str(STOP_SECONDS), name)
        state = podman("inspect", "--format", "{{.State.ExitCode}}", name).strip()
        if int(state) == KILLED:
            raise StoryError(f"{role} did not end within {STOP_SECONDS} seconds.")
        print(f"ok: {role} ends when it is asked to")


def _variables(environment: Mapping[str, str]) -> list[str]:
    return [f"--env={name}={value}" for name, value in environment.items()]


def _name(role: str) -> str:
    return f"berth-trial-{role}"
