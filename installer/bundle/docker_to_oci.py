"""Docker's manifests as OCI's: the same blobs, under the names that a layout may have.

Sources: OCI image spec 1.1, "Compatibility Matrix" (which of docker's media types is
which of OCI's); docker image manifest v2, schema 2. Tools that read OCI layouts,
skopeo first, pass over docker's types. A manifest that is changed has another digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

_DOCKER: Final = "application/vnd.docker"
_LAYER: Final = "application/vnd.oci.image.layer"
_BLOBS: Final = {
    f"{_DOCKER}.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
    f"{_DOCKER}.image.rootfs.diff.tar": f"{_LAYER}.v1.tar",
    f"{_DOCKER}.image.rootfs.diff.tar.gzip": f"{_LAYER}.v1.tar+gzip",
    f"{_DOCKER}.image.rootfs.foreign.diff.tar.gzip": (
        f"{_LAYER}.nondistributable.v1.tar+gzip"
    ),
}
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})


def index_as_oci(
    index: Mapping[str, Any], children: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return an index of OCI with these descriptors, in the places of its own."""
    manifests = [
        {**found, **child}
        for found, child in zip(index["manifests"], children, strict=True)
    ]
    return {**index, "mediaType": OCI_INDEX, "manifests": manifests}


def manifest_as_oci(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return an image's manifest of OCI for one of docker."""
    return {
        **manifest,
        "mediaType": OCI_MANIFEST,
        "config": _blob(manifest["config"]),
        "layers": [_blob(each) for each in manifest["layers"]],
    }


def is_dockers(media_type: str) -> bool:
    return media_type in {DOCKER_LIST, DOCKER_MANIFEST}


def _blob(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    kind = descriptor["mediaType"]
    return {**descriptor, "mediaType": _BLOBS.get(kind, kind)}
