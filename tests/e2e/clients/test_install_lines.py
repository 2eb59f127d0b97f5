"""The lines of the customer's page Install, run as they are copied."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from customers.web.pulling.install_lines import SAVE_SECRET, TOOLS, Step, Wanted
from deploy.local import images
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import Finished, succeeded
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)


class Shell:
    """A customer's shell: its tools find their engines, and that hosts have no TLS."""

    def __init__(self, home: Path, engines: Path, host: str) -> None:
        self.home = home
        registries = f'[[registry]]\nlocation = "{host}"\ninsecure = true\n'
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

    def __call__(self, lines: str, *, stdin: str = "") -> Finished:
        return subprocess.run(
            ["sh", "-e", "-c", lines],
            cwd=self.home,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def wanted(
    edge: EdgeClient,
    connected: Vendor,
    basic_upstream: Upstream,
    settings: Any,
    live_server: Any,
) -> Wanted:
    settings.BERTH_PROXY_HOST = edge.host
    layer = images.tar_layer({"hello.txt": b"copied"})
    name, login = "my-org/copied", basic_upstream.login
    images.push_image(basic_upstream.url, name, "v1", auth=login, layers=[layer])
    slug = connected.application.slug
    image = f"{edge.host}/proxy/{slug}/sample/{name}:v1"
    return Wanted(slug, image, live_server.url)


@pytest.fixture
def secret(connected: Vendor) -> str:
    _, text = pull_credential(connected.license())
    return text


@pytest.fixture
def shell(tmp_path: Path, engines: Path, wanted: Wanted, secret: str) -> Shell:
    """A shell in which the secret is saved, as the first step says."""
    shell = Shell(tmp_path, engines, wanted.host)
    succeeded(shell(SAVE_SECRET, stdin=f"{secret}\n"))
    assert (tmp_path / "pull-credential").stat().st_mode & 0o077 == 0
    return shell


def steps_of(tool: str, wanted: Wanted) -> list[Step]:
    return TOOLS[tool].steps(wanted)


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_an_engine_logs_in_and_pulls(shell: Shell, wanted: Wanted, tool: str) -> None:
    shell(f"{tool} image rm --force {wanted.image}")

    for step in steps_of(tool, wanted):
        succeeded(shell(step.lines))

    found = shell(f"{tool} image inspect {wanted.image}")
    assert found.returncode == 0, found.stderr


def test_containerd_pulls(shell: Shell, wanted: Wanted) -> None:
    step = steps_of("containerd", wanted)[0]
    assert step.lines.startswith("ctr ")
    shell(f"ctr images rm {wanted.image}")

    succeeded(shell(step.lines))

    assert wanted.image in shell("ctr images ls --quiet").stdout


def test_the_portal_writes_the_pull_secret(
    shell: Shell, wanted: Wanted, secret: str
) -> None:
    step = steps_of("kubernetes", wanted)[0]
    fetch, _, apply = step.lines.rpartition("|")
    assert apply.strip() == "kubectl apply --filename -"

    written = shell(fetch)

    succeeded(written)
    manifest = yaml.safe_load(written.stdout)
    config = json.loads(base64.b64decode(manifest["data"][".dockerconfigjson"]))
    auth = base64.b64encode(f"license:{secret}".encode()).decode()
    assert config["auths"][wanted.host] == {"auth": auth}
    assert manifest["metadata"]["name"] in step.text
