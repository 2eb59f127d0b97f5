"""A bundle overwrites no other files, and has no damaged or malformed content."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import Any

import pytest

from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.installer.airgapping import Airgap, checked
from tests.support.installer.command import tree

LAYER = b"layer " * 1000
EMPTY = "sha256:" + hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
@pytest.mark.parametrize(
    "there", ["mine.txt", "index.json", "oci-layout", "partial/mine.txt"]
)
def test_an_existing_directory_of_others_is_left_alone(
    airgap: Airgap, name: str, there: str
) -> None:
    airgap.public.image("org/app", "v1", LAYER)
    airgap.manifest(f"{airgap.public_server.host}/org/app:v1")
    airgap.bundle = airgap.directory / name
    directory = airgap.bundle if name == "bundle" else airgap.partial
    (directory / there).parent.mkdir(parents=True)
    (directory / there).write_text("mine")

    outcome = airgap()

    assert outcome.code == 4
    assert str(directory) in outcome.document["error"]["message"]
    assert tree(directory) == {there: b"mine"}
    assert airgap.public_server.requests == []


def test_an_existing_file_is_left_alone(airgap: Airgap) -> None:
    airgap.manifest("redis")
    airgap.bundle.write_text("mine")

    assert airgap().code == 4
    assert airgap.bundle.read_text() == "mine"


def test_foreign_files_in_a_bundle_are_neither_packed_nor_deleted(
    airgap: Airgap,
) -> None:
    image = f"{airgap.public_server.host}/org/app:v1"
    airgap.manifest(image)
    airgap.bundle = airgap.directory / "bundle.tar"
    assert airgap().code == 3
    (airgap.partial / "mine.txt").write_text("mine")

    airgap.public.image("org/app", "v1", LAYER)
    assert airgap().code == 0

    assert tree(airgap.partial) == {"mine.txt": b"mine"}
    with tarfile.open(airgap.bundle) as archive:
        names = archive.getnames()
    packed = {item for item in names if not item.startswith("blobs/sha256/")}
    assert packed == {"SHA256SUMS", "index.json", "oci-layout"}


def test_a_colon_that_skopeo_cannot_read_is_refused(airgap: Airgap) -> None:
    airgap.manifest("redis")
    airgap.bundle = airgap.directory / "bundle:1"

    outcome = airgap()

    assert outcome.code == 2
    assert "skopeo" in outcome.err
    assert not airgap.bundle.exists()


def test_a_blob_is_fetched_from_any_repository_that_has_it(airgap: Airgap) -> None:
    names = ("org/one", "org/two")
    for name in names:
        airgap.public.image(name, "v1", LAYER)
    digest = airgap.public.blob(LAYER)["digest"]
    host = airgap.public_server.host
    airgap.manifest(*(f"{host}/{name}:v1" for name in names))

    for lost in names:
        airgap.bundle = airgap.directory / lost.partition("/")[2]
        airgap.public.missing = {f"{lost}/blobs/{digest}"}
        assert airgap().code == 0
        checked(airgap.bundle)


@pytest.mark.parametrize("what", ["layer", "manifest"])
def test_a_damaged_blob_is_fetched_again(airgap: Airgap, what: str) -> None:
    image = airgap.public.image("org/app", "v1", LAYER)
    digest = image["digest"] if what == "manifest" else sha256(LAYER)
    airgap.manifest(f"{airgap.public_server.host}/org/app:v1")
    assert airgap().code == 0
    path = airgap.bundle / "blobs" / "sha256" / digest.partition(":")[2]
    whole = path.read_bytes()
    path.write_bytes(b"?" + whole[1:])

    assert airgap().code == 0

    assert path.read_bytes() == whole
    checked(airgap.bundle)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(**more: Any) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": EMPTY, "size": 0, **more}


STRANGE: list[tuple[str, Any]] = [
    (OCI_MANIFEST, 5),
    (OCI_MANIFEST, None),
    (OCI_MANIFEST, []),
    (OCI_MANIFEST, {"mediaType": ["a"]}),
    (OCI_MANIFEST, {"config": 5, "layers": []}),
    (OCI_MANIFEST, {"config": descriptor(), "layers": 5}),
    (DOCKER_MANIFEST, {"config": descriptor(mediaType=["a"]), "layers": []}),
    (DOCKER_MANIFEST, {"config": descriptor(), "layers": [descriptor(mediaType=[])]}),
    (OCI_INDEX, {"manifests": 5}),
    (OCI_INDEX, {"manifests": [5]}),
    (OCI_INDEX, {"manifests": [descriptor(platform="x")]}),
    (DOCKER_LIST, {"manifests": None}),
    # Read as an image by some programs, as an index by others.
    (OCI_INDEX, {"manifests": [], "layers": []}),
    (OCI_INDEX, {"manifests": [], "config": descriptor()}),
]


@pytest.mark.parametrize(("kind", "manifest"), STRANGE)
@pytest.mark.parametrize("platform", [(), ("--platform", "linux/amd64")])
def test_a_malformed_manifest_fails_alone(
    airgap: Airgap, kind: str, manifest: Any, platform: tuple[str, ...]
) -> None:
    host = airgap.public_server.host
    airgap.public.put("org/strange", "v1", kind, manifest)
    good = airgap.public.image("org/good", "v1", LAYER)
    airgap.manifest(f"{host}/org/strange:v1", f"{host}/org/good:v1")

    outcome = airgap(*platform)

    assert outcome.code == 3
    assert list(outcome.document["failed"]) == [f"{host}/org/strange:v1"]
    assert airgap.index() == {f"{host}/org/good:v1": good["digest"]}
    assert json.loads(outcome.out)["push"] == []
