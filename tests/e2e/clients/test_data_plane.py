"""Unmodified clients pull from the proxy's disk cache through nginx."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import images
from licenses.services import revoke_license
from tests.e2e.conftest import Upstream
from tests.e2e.data_plane.conftest import (
    REMEMBERED_SECONDS,
    DataPlane,
    in_front_of,
)
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import (
    Finished,
    containerd_pull,
    docker_pull,
    podman_pull,
)
from tests.support.clients.pulling import skopeo_copy
from tests.support.rows.vendor import Vendor
from tests.support.stacks.disk_cache import put_blob, put_manifest

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)

Pull = Callable[[Path, str, str], Finished]


def skopeo_pull(directory: Path, image: str, license_id: str) -> Finished:
    return skopeo_copy(image, f"license:{license_id}", directory / "skopeo")


CLIENTS = {
    "docker": docker_pull,
    "podman": podman_pull,
    "skopeo": skopeo_pull,
    "containerd": containerd_pull,
}


@pytest.fixture(scope="module")
def plane(
    edge: EdgeClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DataPlane]:
    with in_front_of(edge, tmp_path_factory.mktemp("data-plane") / "nginx") as plane:
        yield plane


@pytest.fixture
def name(connected: Vendor, basic_upstream: Upstream, client: str) -> str:
    """Push an image that no engine has; return the name that customers pull."""
    images.push_image(
        basic_upstream.url,
        "my-org/cached",
        client,
        auth=basic_upstream.login,
        layers=[images.tar_layer({"hello.txt": client.encode()})],
    )
    return f"proxy/{connected.application.slug}/sample/my-org/cached"


def keep(plane: DataPlane, name: str, tag: str, license_id: str) -> set[str]:
    """Put an image into the disk cache; return the digests."""
    token = plane.client.token(license_id, name)
    place = plane.place(name, token)
    manifest = plane.edge.get(name, f"manifests/{tag}", token)
    digests = {put_manifest(plane.cache, place, manifest.body, images.MANIFEST)}
    for part in (manifest.json["config"], *manifest.json["layers"]):
        blob = plane.edge.get(name, f"blobs/{part['digest']}", token)
        digests.add(put_blob(plane.cache, place, blob.body))
    return digests


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_pulls_from_the_disk_cache(
    engines: Path, plane: DataPlane, connected: Vendor, name: str, client: str
) -> None:
    license_id = connected.license().license_id.reveal()
    digests = keep(plane, name, client, license_id)

    pulled = CLIENTS[client](
        engines, f"{plane.client.host}/{name}:{client}", license_id
    )

    assert pulled.returncode == 0, pulled.stderr
    lines = plane.pulled(name, len(digests) - 1)
    assert {(line["cache"], line["status"]) for line in lines} == {("hit", 200)}
    # By tag, the edge has already sent skopeo and podman the manifest.
    blobs = {line["reference"] for line in lines if line["kind"] == "blobs"}
    assert len(blobs) == len(digests) - 1
    assert blobs < digests


@pytest.mark.parametrize("client", CLIENTS)
def test_a_revoked_license_gets_our_sentence_and_nothing(
    engines: Path, plane: DataPlane, connected: Vendor, name: str, client: str
) -> None:
    license = connected.license()
    license_id = license.license_id.reveal()
    keep(plane, name, client, license_id)
    revoke_license(actor=connected.actor, license=license, reason="test")
    # Until then, the edge only says that the new token is for nothing.
    time.sleep(REMEMBERED_SECONDS)

    pulled = CLIENTS[client](
        engines, f"{plane.client.host}/{name}:{client}", license_id
    )

    assert pulled.returncode != 0
    assert "This license was revoked on " in pulled.stderr + pulled.stdout
    assert json.dumps(name) not in plane.pulls.read_text()
