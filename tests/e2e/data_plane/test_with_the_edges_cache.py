"""The edge fills the disk cache, and nginx serves what it has put there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import images, nginx
from deploy.local.process import free_port
from tests.e2e.conftest import Ports, Upstream, edge_environment, start_edge
from tests.e2e.data_plane.conftest import DataPlane, Puller, in_front_of
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor


@pytest.fixture
def plane(ports: Ports, transactional_db: None, tmp_path: Path) -> Iterator[DataPlane]:
    port, log = free_port(), tmp_path / "edge.log"
    directory = tmp_path / "nginx"
    environment = edge_environment(ports) | nginx.edge_environment(directory)
    with start_edge(environment, port, log, "caching edge") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)
        with in_front_of(edge, directory) as plane:
            yield plane


@pytest.fixture
def puller(plane: DataPlane, connected: Vendor, basic_upstream: Upstream) -> Puller:
    images.push_image(
        basic_upstream.url,
        "my-org/cached",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a" * 100_000})],
    )
    license = connected.license()
    name = f"proxy/{connected.application.slug}/sample/my-org/cached"
    token = plane.client.token(license.license_id.reveal(), name)
    return Puller(plane, license, name, token)


def pull(puller: Puller) -> list[bytes]:
    """Pull all of the image by digest; return what was got."""
    tagged = puller.get("manifests/v1")
    digest = tagged.headers["Docker-Content-Digest"]
    parts = (tagged.json["config"], *tagged.json["layers"])
    paths = [f"manifests/{digest}", *(f"blobs/{part['digest']}" for part in parts)]
    answers = [puller.get(path) for path in paths]
    assert [item.status for item in answers] == [200] * len(paths)
    return [item.body for item in answers]


def kept(plane: DataPlane) -> list[Path]:
    """Return the files of an image, once the edge has kept all three and the tag."""
    deadline = time.monotonic() + 5
    while len(files := _whole_files(plane.cache / "objects")) < 3 or not any(
        (plane.cache / "tags").rglob("v1")
    ):
        assert time.monotonic() < deadline, "the edge did not keep the image"
        time.sleep(0.05)
    return files


def _whole_files(directory: Path) -> list[Path]:
    files = directory.rglob("sha256:*")
    return [path for path in files if path.stat().st_mtime == 1]


def test_what_the_edge_kept_is_served_by_nginx(
    plane: DataPlane, puller: Puller
) -> None:
    first = pull(puller)
    kept(plane)

    second = pull(puller)

    assert first == second
    lines = plane.pulled(puller.name, 8)
    cold, hot = lines[:4], lines[4:]
    assert [line["kind"] for line in cold] == ["manifests"] * 2 + ["blobs"] * 2
    assert [line["kind"] for line in hot] == [line["kind"] for line in cold]
    assert {cold[0]["cache"], cold[2]["cache"], cold[3]["cache"]} == {"miss"}
    # The first by the edge, after it has asked the upstream what the tag means.
    assert {line["cache"] for line in hot} == {"hit"}
    assert {line["place"] for line in lines} == {puller.place}
    assert len({line["pull"] for line in lines}) == 1


def _flip(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"X")


def _empty(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_flip, _empty, Path.unlink])
def test_damaged_files_are_fetched_again_and_served_by_nginx(
    plane: DataPlane, puller: Puller, damage: Callable[[Path], None]
) -> None:
    first = pull(puller)
    for path in kept(plane):
        damage(path)

    assert pull(puller) == first
    kept(plane)
    assert pull(puller) == first
    # Three times by tag, and three objects.
    last = plane.pulled(puller.name, 12)[-3:]
    assert [line["cache"] for line in last] == ["hit"] * 3
