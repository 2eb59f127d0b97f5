"""``OUT/overlays/midstream/kustomization.yaml``: new image names and pull secrets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from installer.plan.images import PlannedImage
from oci.kustomize import (
    API_VERSION,
    BASES,
    Renaming,
    dump_yaml,
    image_changes,
    image_name,
)
from oci.pod_images import KubernetesObject, PodSpec
from oci.pull_secrets import pull_secret_patches

SECRET_FILE: Final = "secret.yaml"  # noqa: S105 -- a file's name


def midstream_text(images: Sequence[PlannedImage], secret_name: str = "") -> str:
    """Return the file. ``secret_name`` is empty if there is no pull secret."""
    kept = [image_name(item.image) for item in images if not item.new_image]
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Kustomization",
        "resources": [*BASES, *([SECRET_FILE] if secret_name else [])],
        **image_changes(_renamings(images), kept=kept),
    }
    if secret_name:
        patches = pull_secret_patches(pod_specs_with_secret(images), secret_name)
        document |= {"patches": patches} if patches else {}
    return dump_yaml(document)


def _renamings(images: Iterable[PlannedImage]) -> list[Renaming]:
    renamings = [
        Renaming(
            name=image_name(item.image),
            new_name=image_name(item.new_image),
            paths=tuple(dict.fromkeys(place.pod_image.path for place in item.places)),
        )
        for item in images
        if item.new_image
    ]
    return sorted(renamings, key=lambda item: item.name)


def pod_specs_with_secret(
    images: Iterable[PlannedImage],
) -> dict[KubernetesObject, list[PodSpec]]:
    """Return the PodSpecs that pull with the license, by their object, sorted."""
    by_object: dict[KubernetesObject, dict[PodSpec, None]] = {}
    for image in images:
        for place in image.places if image.needs_secret else ():
            specs = by_object.setdefault(place.pod_image.object, {})
            specs[place.pod_image.pod_spec] = None
    ordered = sorted(by_object.items(), key=lambda entry: _order(entry[0]))
    return {
        item: sorted(specs, key=lambda spec: spec.pointer) for item, specs in ordered
    }


def _order(item: KubernetesObject) -> tuple[str, str, str, str]:
    return item.kind, item.namespace, item.name, item.api_version
