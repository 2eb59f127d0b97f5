"""Images of every kind that clients push: OCI and docker v2 schema 2, and indexes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from deploy.local import images
from deploy.local.images import Descriptor
from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.conformance.client import Repository, sha256

_PARTS = {
    OCI_MANIFEST: (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar",
    ),
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}
_CHILD = {OCI_INDEX: OCI_MANIFEST, DOCKER_LIST: DOCKER_MANIFEST}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index, as it is pushed and must come back."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        return sha256(self.body)


def image_manifest(
    config: bytes, *layers: bytes, media_type: str = OCI_MANIFEST, **more: Any
) -> Manifest:
    """Make the manifest of an image of these blobs; nothing is pushed."""
    config_type, layer_type = _PARTS[media_type]
    document = images.image_manifest(
        Descriptor.of(config, config_type),
        [Descriptor.of(layer, layer_type) for layer in layers],
        media_type,
    )
    return _manifest(media_type, document | more)


def index_of(*children: Manifest, media_type: str = OCI_INDEX) -> Manifest:
    described = [
        Descriptor.of(child.body, child.media_type, "linux/amd64") for child in children
    ]
    return _manifest(media_type, images.image_index(described, media_type))


def push_blobs_of_image(
    repository: Repository, media_type: str = OCI_MANIFEST, label: str = "image"
) -> Manifest:
    """Push the blobs of an image and return its manifest, which is not pushed."""
    config = repository.client.content(f"{label}'s config")
    layer = repository.client.content(f"{label}'s layer")
    repository.push_blob(config)
    repository.push_blob(layer)
    return image_manifest(config, layer, media_type=media_type)


def push_image(
    repository: Repository,
    *tags: str,
    media_type: str = OCI_MANIFEST,
    label: str = "image",
) -> Manifest:
    """Push an image under each of the tags; under none, by its digest."""
    manifest = push_blobs_of_image(repository, media_type, label)
    _put(repository, manifest, *tags)
    return manifest


def push_index(
    repository: Repository, tag: str, media_type: str = OCI_INDEX
) -> tuple[Manifest, Manifest]:
    """Push an index of one image; return both."""
    child = push_image(repository, media_type=_CHILD[media_type])
    index = index_of(child, media_type=media_type)
    _put(repository, index, tag)
    return index, child


def _put(repository: Repository, manifest: Manifest, *tags: str) -> None:
    for reference in tags or (manifest.digest,):
        answer = repository.put_manifest(reference, manifest.body, manifest.media_type)
        assert answer.status == 201, answer.body


def _manifest(media_type: str, document: dict[str, Any]) -> Manifest:
    return Manifest(media_type, json.dumps(document, indent=3).encode())
