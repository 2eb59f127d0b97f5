"""Application manifests, which name namespaces that need the pull secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from installer.manifests.directory import MAX_FILE_BYTES
from oci.yaml_documents import Mapping, Scalar, Sequence, yaml_documents

_GROUPS: Final = frozenset({"kots.io", "app.k8s.io"})


def additional_namespaces(paths: list[Path]) -> tuple[str, ...]:
    """Return ``additionalNamespaces`` of all Application manifests, sorted.

    Unreadable files are ignored here: ``read_directories`` reports them.
    """
    names: set[str] = set()
    for path in paths:
        try:
            content = path.read_bytes()
            if b"additionalNamespaces" not in content:
                continue
            text = content.decode("utf-8-sig")
            for document in yaml_documents(text, max_bytes=MAX_FILE_BYTES):
                names.update(_namespaces(document))
        except (OSError, ValueError):
            continue
    return tuple(sorted(names))


def _namespaces(document: object) -> Iterator[str]:
    if not isinstance(document, Mapping) or document.text("kind") != "Application":
        return
    spec = document.get("spec")
    group = document.text("apiVersion").rpartition("/")[0]
    if group not in _GROUPS or not isinstance(spec, Mapping):
        return
    names = spec.get("additionalNamespaces")
    for name in names.items if isinstance(names, Sequence) else ():
        if isinstance(name, Scalar) and not name.is_null:
            yield name.text.strip()
