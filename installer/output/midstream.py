"""``OUT/overlays/midstream/kustomization.yaml``: new image names and pull secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from oci.kustomize import API_VERSION, BASES, Renaming, dump_yaml, image_changes

SECRET_FILE: Final = "secret.yaml"  # noqa: S105 -- a file's name


def midstream_text(
    renamings: Sequence[Renaming],
    *,
    kept: Sequence[str],
    patches: Sequence[dict[str, Any]],
    has_secret: bool,
) -> str:
    """Return the ``kustomization.yaml`` over the base."""
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Kustomization",
        "resources": [*BASES, *([SECRET_FILE] if has_secret else [])],
        **image_changes(sorted(renamings, key=lambda item: item.name), kept=kept),
    }
    if patches:
        document["patches"] = list(patches)
    return dump_yaml(document)
