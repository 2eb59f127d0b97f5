"""A cluster of Kubernetes' own programs, and Berth as real processes beside it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from deploy.local import images
from deploy.local.process import free_port
from deploy.local.registry import start_registry
from installer.cluster.nodes import NodeSetup, provider_config, script
from installer.cluster.rules import Rule
from installer.plan.images import Hosts
from tests.e2e.conftest import (  # noqa: F401 -- fixtures
    Ports,
    Upstream,
    basic_upstream,
    connected,
    edge,
    logs,
    ports,
    vendor,
)
from tests.support.clients.edge import EdgeClient
from tests.support.kubernetes.binaries import programs
from tests.support.kubernetes.control_plane import ControlPlane, control_plane
from tests.support.kubernetes.customer import Customer, Story
from tests.support.kubernetes.node import node
from tests.support.rows.vendor import Vendor

STORIES: list[Story] = []
MEASURED: list[str] = []
AUDIENCE = "berth-proxy"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured, and what the events of the Pods said, word for word."""
    for line in MEASURED:
        terminalreporter.write_line(line)
    if not STORIES:
        return
    terminalreporter.section("What the events of the Pods say")
    for story in STORIES:
        terminalreporter.write_line(f"{story.title}: {story.reason}")
        terminalreporter.write_line(f"    {story.message}")


@pytest.fixture
def measured() -> list[str]:
    """Lines for the end of the run."""
    return MEASURED


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    """A directory with a short name: the paths of sockets are limited."""
    path = Path(tempfile.mkdtemp(prefix="berth-k8s-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def plane(directory: Path) -> Iterator[ControlPlane]:
    with control_plane(programs(), directory) as running:
        yield running


@pytest.fixture(scope="session")
def layer(plane: ControlPlane) -> bytes:
    """A program that waits: all that a container needs."""
    return images.tar_layer({"pause": (plane.programs / "pause").read_bytes()})


@pytest.fixture(scope="session")
def pause(directory: Path, layer: bytes) -> Iterator[str]:
    """The image of each Pod's sandbox, on a registry that is open to everyone."""
    port = free_port()
    with start_registry(directory / "open", port):
        images.push_image(
            f"http://localhost:{port}", "pause", "1", layers=[layer], command=["/pause"]
        )
        yield f"localhost:{port}/pause:1"


@pytest.fixture(scope="session")
def node_with_provider(
    plane: ControlPlane,
    directory: Path,
    pause: str,
    edge: EdgeClient,  # noqa: F811
    basic_upstream: Upstream,  # noqa: F811
) -> Iterator[Path]:
    """A node with the credential provider; the directory of its registry hosts."""
    mirrored = [Rule(f"{basic_upstream.endpoint}/", "sample")]
    setup = NodeSetup(
        hosts=Hosts("any", (edge.host,)),
        audience=AUDIENCE,
        provider="berth-credential-provider",
        mirrored=mirrored,
    )
    provider = directory / "provider"
    (provider / "bin").mkdir(parents=True)
    program = provider / "bin" / setup.provider
    program.write_bytes(script())
    program.chmod(0o755)
    (provider / f"{setup.provider}.yaml").write_text(provider_config(setup))
    with node(plane, directory, provider, pause=pause) as place:
        yield place


@pytest.fixture
def image(basic_upstream: Upstream, layer: bytes) -> str:  # noqa: F811
    """A private image of the vendor's registry, without the host."""
    images.push_image(
        basic_upstream.url,
        "my-org/api",
        "v1",
        auth=basic_upstream.login,
        layers=[layer],
        command=["/pause"],
    )
    return "my-org/api:v1"


@pytest.fixture
def customer(
    plane: ControlPlane,
    edge: EdgeClient,  # noqa: F811
    connected: Vendor,  # noqa: F811
    live_server: Any,
    settings: Any,
    tmp_path: Path,
) -> Iterator[Customer]:
    settings.BERTH_PROXY_HOST = edge.host
    settings.BERTH_PORTAL_URL = live_server.url
    license = connected.license()
    made = Customer(
        plane=plane,
        vendor=connected,
        license=license,
        portal=live_server.url,
        proxy=edge.host,
        directory=tmp_path,
        stories=STORIES,
    )
    login = urllib3.make_headers(basic_auth=f"license:{license.license_id.reveal()}")
    url = f"{live_server.url}/api/v1/license/file"
    answer = urllib3.request("GET", url, headers=login, retries=False, timeout=60)
    assert answer.status == 200, answer.data
    made.license_file.write_bytes(answer.data)
    made.create_namespace()
    yield made
    plane.kubectl("delete", "namespace", made.namespace, "--wait=false")
