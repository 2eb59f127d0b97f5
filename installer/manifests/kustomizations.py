"""The vendor's own ``kustomization.yaml`` files.

Source: Kustomize, "resources", "components", "namespace" and "images".
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from installer.files import is_untouched
from installer.manifests.directory import MAX_FILE_BYTES, ManifestFile, Manifests
from installer.manifests.paths import KUSTOMIZATIONS
from oci.yaml_documents import Mapping, Scalar, Sequence, yaml_documents

_LISTS: Final = ("resources", "bases", "components")


@dataclass(frozen=True, slots=True)
class Kustomization:
    """One such file. ``references`` are paths below the vendor's directory."""

    file: str
    kind: str
    namespace: str
    has_images: bool
    references: frozenset[str]

    @property
    def directory(self) -> str:
        return str(PurePosixPath(self.file).parent)


def vendor_kustomizations(manifests: Manifests) -> list[Kustomization]:
    """Return all that can be read, except the one that we generated."""
    return [
        _read(file)
        for file in manifests.files
        if file.path.name in KUSTOMIZATIONS
        and not file.problem
        and not (file.name in KUSTOMIZATIONS and _is_generated(file))
    ]


def top_kustomizations(manifests: Manifests) -> list[str]:
    """Return the names of the vendor's own files at the top, usually one or none."""
    return [
        file.name
        for file in manifests.files
        if file.name in KUSTOMIZATIONS
        and file.path.is_file()
        and not _is_generated(file)
    ]


def ancestors(name: str) -> list[str]:
    """Return the directories above a file, outermost first."""
    return [str(parent) for parent in reversed(PurePosixPath(name).parents)]


def namespace_of(name: str, kustomizations: Iterable[Kustomization]) -> str:
    """Return the namespace that Kustomize sets for a file's objects, empty for none.

    The outermost one wins.
    """
    namespaces = {item.directory: item.namespace for item in kustomizations}
    directories = ancestors(name)
    return next((namespaces[path] for path in directories if namespaces.get(path)), "")


def _is_generated(file: ManifestFile) -> bool:
    return is_untouched(file.path.read_bytes())


def _read(file: ManifestFile) -> Kustomization:
    text = file.path.read_bytes().decode("utf-8-sig")
    first = next(yaml_documents(text, max_bytes=MAX_FILE_BYTES), None)
    document = first if isinstance(first, Mapping) else Mapping(1)
    images = document.get("images")
    return Kustomization(
        file=file.name,
        kind=document.text("kind") or "Kustomization",
        namespace=document.text("namespace"),
        has_images=isinstance(images, Sequence) and bool(images.items),
        references=frozenset(_references(document, PurePosixPath(file.name).parent)),
    )


def _references(document: Mapping, directory: PurePosixPath) -> Iterator[str]:
    for key in _LISTS:
        listed = document.get(key)
        for item in listed.items if isinstance(listed, Sequence) else ():
            if isinstance(item, Scalar) and "://" not in item.text:
                yield posixpath.normpath(str(directory / item.text))
