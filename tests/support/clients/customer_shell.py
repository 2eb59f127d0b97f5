"""A shell in which a customer, or a vendor, types the lines of a page."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.clients.engines import Finished


class Shell:
    """A shell whose tools find their engines, and know which hosts have no TLS."""

    def __init__(self, home: Path, engines: Path, *hosts: str) -> None:
        self.home = home
        registries = "".join(
            f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in hosts
        )
        storage = (
            f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/podman"\n'
            f'runroot = "{home}/run"\n'
        )
        (home / "registries.conf").write_text(registries)
        (home / "storage.conf").write_text(storage)
        self._environment = os.environ | {
            "DOCKER_HOST": f"unix://{engines}/docker.sock",
            "DOCKER_CONFIG": str(home / "docker"),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),
            "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
            "CONTAINERD_ADDRESS": f"{engines}/exec/containerd/containerd.sock",
            "CONTAINERD_SNAPSHOTTER": "native",
        }

    def __call__(
        self, lines: str, *, stdin: str = "", variables: Mapping[str, str] | None = None
    ) -> Finished:
        return subprocess.run(
            ["sh", "-e", "-c", lines],
            cwd=self.home,
            env=self._environment | dict(variables or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
