"""Run ``airgap`` with a proxy and a public registry in memory."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import LICENSE_ID
from tests.support.installer.pods import pod
from tests.support.installer.servers import Server
from tests.support.installer.store import Store

LOGIN = "Basic " + base64.b64encode(f"license:{LICENSE_ID}".encode()).decode()


class Airgap:
    """Runs ``airgap`` for one Pod, with a proxy and a public registry in memory."""

    def __init__(self, installer: Installer, directory: Path) -> None:
        self._installer = installer
        self.directory = directory
        self.public = Store()
        self.private = Store(needs=LOGIN)
        self.public_server: Server
        self.proxy_server: Server
        self.bundle = directory / "bundle"

    @property
    def partial(self) -> Path:
        """Where the layout of a tar is built."""
        return self.bundle.with_name(f"{self.bundle.name}.partial")

    def manifest(self, *images: str) -> None:
        vendor = self.directory / "vendor"
        vendor.mkdir(exist_ok=True)
        (vendor / "pod.yaml").write_text(pod("web", *images))

    def __call__(self, *more: str | Path) -> Outcome:
        hosts = (self.public_server.host, self.proxy_server.host)
        return self._installer(
            *("airgap", self.directory / "vendor"),
            *("--license", self.directory / "license.yaml"),
            *("--bundle", self.bundle, "--format", "json"),
            *("--proxy", self.proxy_server.host),
            *(item for host in hosts for item in ("--plain-http", host)),
            *more,
        )

    def proxied(self, repository: str) -> str:
        return f"{self.proxy_server.host}/proxy/my-app/quay.io/{repository}"

    def index(self) -> dict[str, str]:
        index = json.loads((self.bundle / "index.json").read_text())
        name = "org.opencontainers.image.ref.name"
        return {
            entry["annotations"][name]: entry["digest"] for entry in index["manifests"]
        }


def checked(directory: Path) -> None:
    """Check the checksums with ``sha256sum``."""
    ran = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=directory,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
