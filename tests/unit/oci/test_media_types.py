from __future__ import annotations

from oci.media_types import DEFAULT_MANIFEST_ACCEPT


def test_default_manifest_accept_names_indexes_and_manifests_before_anything() -> None:
    assert DEFAULT_MANIFEST_ACCEPT.split(", ") == [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "*/*",
    ]
