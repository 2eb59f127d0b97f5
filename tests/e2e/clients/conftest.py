from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.process import ManagedProcess
from tests.support.clients.engines import log_in, run


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start a docker engine, with the containerd that it brings along."""
    # A socket's path has little room, so this is not below pytest's directory.
    directory = tmp_path_factory.mktemp("d", numbered=True)
    log_in(directory, {})
    with ManagedProcess(
        [
            *("dockerd", "--iptables=false", "--bridge=none", "--storage-driver=vfs"),
            *("--data-root", str(directory / "data")),
            *("--exec-root", str(directory / "exec")),
            *("--pidfile", str(directory / "pid")),
            *("--host", f"unix://{directory}/docker.sock"),
        ],
        name="dockerd",
        log=directory / "dockerd.log",
        env=dict(os.environ),
        cwd=directory,
    ) as process:
        process.wait_until(lambda: run("docker", directory, "info").returncode == 0, 60)
        yield directory
