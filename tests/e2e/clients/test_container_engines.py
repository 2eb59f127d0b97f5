"""docker, podman and containerd pull with a license, and print why they may not."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from deploy.local import images
from deploy.local.process import ManagedProcess
from licenses.services import revoke_license
from tests.e2e.conftest import Upstream
from tests.support.edge_client import EdgeClient
from tests.support.vendor import Vendor

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)

Pull = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
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


def run(
    program: str, directory: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        env=os.environ
        | {
            "DOCKER_HOST": f"unix://{directory}/docker.sock",
            "DOCKER_CONFIG": str(directory / "config"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def log_in(directory: Path, auths: dict[str, dict[str, str]]) -> None:
    """Write the file in which docker keeps its logins; podman reads it too."""
    (directory / "config").mkdir(exist_ok=True)
    (directory / "config/config.json").write_text(json.dumps({"auths": auths}))


def docker(directory: Path, image: str, license_id: str) -> Pull:
    host = image.partition("/")[0]
    auth = base64.b64encode(f"license:{license_id}".encode()).decode()
    log_in(directory, {host: {"auth": auth}} if license_id else {})
    run("docker", directory, "image", "rm", "--force", image)
    return run("docker", directory, "pull", image)


def podman(directory: Path, image: str, license_id: str) -> Pull:
    storage = [
        *("--root", str(directory / "podman"), "--runroot", str(directory / "run")),
        *("--storage-driver", "vfs"),
    ]
    login = ["--creds", f"license:{license_id}"] if license_id else []
    run("podman", directory, *storage, "image", "rm", "--force", image)
    return run(
        "podman", directory, *storage, "pull", "--tls-verify=false", *login, image
    )


def containerd(directory: Path, image: str, license_id: str) -> Pull:
    socket = ["--address", str(directory / "exec/containerd/containerd.sock")]
    login = ["--user", f"license:{license_id}"] if license_id else []
    run("ctr", directory, *socket, "image", "rm", image)
    return run(
        "ctr",
        directory,
        *(*socket, "image", "pull", "--plain-http", "--snapshotter", "native"),
        *(*login, image),
    )


CLIENTS = {"docker": docker, "podman": podman, "containerd": containerd}


@pytest.fixture
def image(edge: EdgeClient, connected: Vendor, basic_upstream: Upstream) -> str:
    images.push_image(
        basic_upstream.url,
        "my-org/engines",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"hello.txt": b"hi"})],
    )
    return f"{edge.host}/proxy/{connected.application.slug}/sample/my-org/engines:v1"


@pytest.mark.parametrize("client", CLIENTS)
def test_pull_with_a_license(
    engines: Path, connected: Vendor, image: str, client: str
) -> None:
    license_id = connected.license().license_id.reveal()

    pulled = CLIENTS[client](engines, image, license_id)

    assert pulled.returncode == 0, pulled.stderr


def _none(vendor: Vendor) -> str:
    return ""


def _expired(vendor: Vendor) -> str:
    license = vendor.license(expires_at=timezone.now() - timedelta(hours=1))
    return license.license_id.reveal()


def _revoked(vendor: Vendor) -> str:
    license = vendor.license()
    revoke_license(actor=vendor.actor, license=license, reason="test")
    return license.license_id.reveal()


def _other_application(vendor: Vendor) -> str:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    return vendor.license(application=other).license_id.reveal()


REFUSED = {
    "no license": (_none, "No known license came with this request."),
    "expired": (_expired, "This license expired on "),
    "revoked": (_revoked, "This license was revoked on "),
    "another application's": (
        _other_application,
        "This license does not include the application ",
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("state", REFUSED)
def test_a_refused_pull_prints_our_sentence(
    engines: Path, connected: Vendor, image: str, client: str, state: str
) -> None:
    prepare, sentence = REFUSED[state]

    pulled = CLIENTS[client](engines, image, prepare(connected))

    assert pulled.returncode != 0
    assert sentence in pulled.stderr + pulled.stdout
