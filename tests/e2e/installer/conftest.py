"""A customer's machine, and the servers that the installer uses from there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from deploy.local import images
from deploy.local.process import free_port
from deploy.local.registry import start_registry
from licenses.models import License
from tests.e2e.conftest import PROJECT, Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.coverage import MEASURED
from tests.support.installer.pods import pod
from tests.support.rows.vendor import Vendor


@dataclass
class Site:
    """A customer's machine: manifests, a license, and the hosts of this test."""

    directory: Path
    vendor: Vendor
    license: License
    portal: str
    proxy: str
    private: Upstream
    public: Upstream

    @property
    def license_file(self) -> Path:
        return self.directory / "license.yaml"

    @property
    def root_key(self) -> Path:
        return self.directory / "root.pem"

    @property
    def manifests(self) -> Path:
        return self.directory / "manifests"

    @property
    def midstream(self) -> Path:
        return self.directory / "out" / "overlays" / "midstream"

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the installer as a process without Django's settings."""
        ran = subprocess.run(
            [sys.executable, "-m", "installer", *map(str, arguments)],
            cwd=PROJECT,
            env={"PATH": "/usr/bin:/bin"} | MEASURED,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert self.license.license_id.reveal() not in ran.stdout + ran.stderr
        return ran

    @property
    def plain(self) -> list[str]:
        hosts = [self.private.endpoint, self.public.endpoint, self.proxy]
        named = [*hosts, self.portal.removeprefix("http://")]
        return [item for host in named for item in ("--plain-http", host)]

    def online(self, command: str, *arguments: str | Path) -> Any:
        license = ("--license", self.license_file)
        return self.run(command, *arguments, *license, *self.plain)

    def fetch(self, path: str, login: str = "") -> bytes:
        headers = urllib3.make_headers(basic_auth=login) if login else {}
        url = f"{self.portal}{path}"
        with urllib3.PoolManager(retries=False) as http:
            answer = http.request("GET", url, headers=headers)
        assert answer.status == 200, answer.data
        return answer.data

    def write_pod(self, *names: str) -> None:
        self.manifests.mkdir(exist_ok=True)
        (self.manifests / "pod.yaml").write_text(pod("web", *names))


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Upstream]:
    port = free_port()
    with start_registry(tmp_path / "public", port) as process:
        yield Upstream(f"localhost:{port}", process.log, None)


@pytest.fixture
def site(
    connected: Vendor,
    edge: EdgeClient,
    basic_upstream: Upstream,
    public: Upstream,
    live_server: Any,
    settings: Any,
    tmp_path: Path,
) -> Site:
    settings.BERTH_PROXY_HOST = edge.host
    license = connected.license()
    directory = tmp_path / "site"
    directory.mkdir()
    result = Site(
        directory=directory,
        vendor=connected,
        license=license,
        portal=live_server.url,
        proxy=edge.host,
        private=basic_upstream,
        public=public,
    )
    login = f"license:{license.license_id.reveal()}"
    settings.BERTH_PORTAL_URL = live_server.url
    result.license_file.write_bytes(result.fetch("/api/v1/license/file", login))
    result.root_key.write_bytes(result.fetch("/.well-known/berth-license-root.pem"))
    return result


def push(upstream: Upstream, repository: str, tag: str) -> images.Descriptor:
    layer = images.tar_layer({"hello.txt": repository.encode()})
    return images.push_image(
        upstream.url, repository, tag, auth=upstream.login, layers=[layer]
    )


def skopeo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["skopeo", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
