"""Problems in the vendor's manifests that files of ours cannot solve."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from installer.manifests.directory import Manifests
from installer.manifests.kustomizations import Kustomization


def conflicting_secrets(manifests: Manifests, name: str) -> list[str]:
    """Return a problem for each file with a Secret of our name."""
    return [
        f"{file.name} has its own Secret {name}, which Kustomize refuses beside ours. "
        "Ask your vendor to remove it."
        for file in manifests.files
        if any(
            (item.kind, item.name) == ("Secret", name) for item in file.manifest.objects
        )
    ]


def vendor_renamings(kustomizations: Iterable[Kustomization]) -> list[str]:
    """Return a problem for each kustomization that changes images before ours does."""
    return [
        f"{item.file} has its own images list. The names that it sets are neither "
        "looked up nor renamed. Check the result with kubectl kustomize, and ask your "
        "vendor to name the images in the manifests."
        for item in kustomizations
        if item.has_images
    ]


def unnamed_objects(manifests: Manifests) -> list[str]:
    """Return a problem for each kind of object in a file that has no name."""
    unnamed = {
        (file.name, item.kind): None
        for file in manifests.files
        for item in file.cluster_objects
        if not item.name or item.is_generated
    }
    return [
        f"{file} has a {kind} without metadata.name. Kustomize cannot build it; ask "
        "your vendor to add a name."
        for file, kind in unnamed
    ]


def objects_beside_licenses(
    manifests: Manifests, left_out: Collection[str]
) -> list[str]:
    """Return a problem for each left-out license file with objects for the cluster."""
    return [
        f"{file.name} has a license and other objects, and was left out completely. "
        "Move the license to a separate file."
        for file in manifests.files
        if file.name in left_out and file.cluster_objects
    ]
