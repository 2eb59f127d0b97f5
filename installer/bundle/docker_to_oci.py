"""Convert docker's manifests to OCI's, with the same blobs.

Sources: OCI image spec 1.1, "Compatibility Matrix" (which media types correspond);
docker image manifest v2, schema 2. Tools that read OCI layouts, such as skopeo, ignore
docker's media types. A converted manifest has another digest.
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


def oci_index(
    index: Mapping[str, Any], children: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return an OCI index with these descriptors in place of its own."""
    manifests = [
        {**entry, **child}
        for entry, child in zip(index["manifests"], children, strict=True)
    ]
    return {**index, "mediaType": OCI_INDEX, "manifests": manifests}


def oci_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OCI manifest of an image for docker's."""
    return {
        **manifest,
        "mediaType": OCI_MANIFEST,
        "config": _blob(manifest["config"]),
        "layers": [_blob(layer) for layer in manifest["layers"]],
    }


def is_docker(media_type: str) -> bool:
    return media_type in {DOCKER_LIST, DOCKER_MANIFEST}


def _blob(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    media_type = descriptor["mediaType"]
    return {**descriptor, "mediaType": _BLOBS.get(media_type, media_type)}
