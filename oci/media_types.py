"""Media types of manifests (OCI image spec, docker image manifest v2)."""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

# Distribution answers 404 for an OCI manifest unless an OCI type is named, so */* alone
# is not enough for a client that sent no Accept.
DEFAULT_MANIFEST_ACCEPT = (
    f"{OCI_INDEX}, {DOCKER_LIST}, {OCI_MANIFEST}, {DOCKER_MANIFEST}, */*"
)
