"""N copies of an image with several platforms show as N pulls, whoever makes them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import images
from registries.models import LicenseTraffic, PullEvent
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import (
    Finished,
    containerd_pull,
    docker_pull,
    podman_pull,
)
from tests.support.clients.pulling import skopeo_copy
from tests.support.rows.vendor import Vendor

COPIES = 6
CONTENT_BYTES = 20_000


def skopeo_pull(directory: Path, image: str, license_id: str) -> Finished:
    target = directory / f"copy-{time.monotonic_ns()}"
    return skopeo_copy(image, f"any:{license_id}", target)


def skopeo_pull_all(directory: Path, image: str, license_id: str) -> Finished:
    target = directory / f"copy-{time.monotonic_ns()}"
    return skopeo_copy(image, f"any:{license_id}", target, "--all")


CLIENTS = {
    "skopeo": skopeo_pull,
    "skopeo --all": skopeo_pull_all,
    "podman": podman_pull,
    "docker": docker_pull,
    "containerd": containerd_pull,
}


def push_index(upstream: Upstream, repository: str) -> list[images.Descriptor]:
    """Push an image for two platforms as v1, and return them.

    Its content is new each time: docker and containerd do not get what they have kept.
    """
    layer = images.tar_layer({"random": os.urandom(CONTENT_BYTES)})
    children = [
        images.push_image(
            *(upstream.url, repository, None),
            auth=upstream.login,
            layers=[layer],
            platform=platform,
        )
        for platform in ("linux/amd64", "linux/arm64")
    ]
    images.push_index(
        upstream.url, repository, "v1", auth=upstream.login, images=children
    )
    return children


def counted(vendor: Vendor, number: int) -> list[tuple[str, str, int]]:
    """Return what was counted once that is so many pulls, and a little later."""
    rows = PullEvent.objects.for_team(vendor.team.pk)
    deadline = time.monotonic() + 20
    while sum(rows.values_list("count", flat=True)) < number:
        assert time.monotonic() < deadline, "nothing was counted"
        time.sleep(0.2)
    time.sleep(5.5)  # what is counted too often comes with the next write
    return list(rows.values_list("reference", "outcome", "count"))


@pytest.mark.skipif(os.geteuid() != 0, reason="container engines are started as root")
@pytest.mark.parametrize("client", CLIENTS)
def test_copies_show_as_so_many_pulls(
    engines: Path,
    edge: EdgeClient,
    connected: Vendor,
    basic_upstream: Upstream,
    client: str,
) -> None:
    pull: Callable[[Path, str, str], Finished] = CLIENTS[client]
    repository = f"counted/{connected.team.slug}"
    image = f"{edge.host}/proxy/{connected.application.slug}/sample/{repository}:v1"
    license = connected.license()

    for _ in range(COPIES):
        push_index(basic_upstream, repository)
        pulled = pull(engines, image, license.license_id.reveal())
        assert pulled.returncode == 0, pulled.stderr

    assert counted(connected, COPIES) == [("v1", "allowed", COPIES)]
    (traffic,) = LicenseTraffic.objects.filter(license=license)
    assert traffic.bytes > COPIES * CONTENT_BYTES


def test_a_child_pulled_by_digest_is_a_pull_of_its_own(
    edge: EdgeClient, connected: Vendor, basic_upstream: Upstream, tmp_path: Path
) -> None:
    repository = f"counted/{connected.team.slug}"
    child = push_index(basic_upstream, repository)[0]
    name = f"{edge.host}/proxy/{connected.application.slug}/sample/{repository}"
    login = f"any:{connected.license().license_id.reveal()}"
    for number, image in enumerate((f"{name}:v1", f"{name}@{child.digest}")):
        assert skopeo_copy(image, login, tmp_path / str(number)).returncode == 0

    assert sorted(counted(connected, 2)) == [
        (child.digest, "allowed", 1),
        ("v1", "allowed", 1),
    ]
