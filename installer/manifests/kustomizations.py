"""A vendor's ``kustomization.yaml`` files, and the list that we write without one.

Source: Kustomize, "resources", "components", "namespace" and "images". It refuses an
object that comes twice, a document without a kind, and a Component as a resource.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from installer.files import is_untouched
from installer.manifests.directory import (
    KUSTOMIZATIONS,
    MAX_FILE_BYTES,
    ManifestFile,
    Manifests,
)
from oci.yaml_documents import Mapping, Scalar, Sequence, yaml_documents

_LISTS: Final = ("resources", "bases", "components")


@dataclass(frozen=True, slots=True)
class Kustomization:
    """What one of them says. ``references`` are paths below the vendor's directory."""

    file: str
    kind: str
    namespace: str
    has_images: bool
    references: frozenset[str]

    @property
    def directory(self) -> str:
        return str(PurePosixPath(self.file).parent)


def vendors_kustomizations(manifests: Manifests) -> list[Kustomization]:
    """Return all that can be read but the list that we generated ourselves."""
    return [
        _read(file)
        for file in manifests.files
        if file.path.name in KUSTOMIZATIONS
        and not file.problem
        and not _is_generated(file)
    ]


def _is_generated(file: ManifestFile) -> bool:
    return file.name in KUSTOMIZATIONS and is_untouched(file.path.read_bytes())


def own_problems(manifests: Manifests) -> list[str]:
    """Return why Kustomize refuses the vendor's own files, whoever lists them."""
    found: dict[str, list[Kustomization]] = {}
    for each in vendors_kustomizations(manifests):
        found.setdefault(each.directory, []).append(each)
    problems = [
        f"{' and '.join(each.file for each in listed)} are in one directory, which "
        "Kustomize refuses. Ask your vendor to leave one."
        for listed in found.values()
        if len(listed) > 1
    ]
    if any(each.kind == "Component" for each in found.get(".", ())):
        problems.append(
            "The vendor's directory is a Component, which Kustomize takes as no base. "
            "Give the directory that uses it."
        )
    return problems


def _read(file: ManifestFile) -> Kustomization:
    text = file.path.read_bytes().decode("utf-8-sig")
    document = next(yaml_documents(text, max_bytes=MAX_FILE_BYTES), None)
    found = document if isinstance(document, Mapping) else Mapping(1)
    images = found.get("images")
    return Kustomization(
        file=file.name,
        kind=found.text("kind") or "Kustomization",
        namespace=found.text("namespace"),
        has_images=isinstance(images, Sequence) and bool(images.items),
        references=frozenset(_references(found, PurePosixPath(file.name).parent)),
    )


def _references(found: Mapping, directory: PurePosixPath) -> Iterator[str]:
    for key in _LISTS:
        listed = found.get(key)
        for each in listed.items if isinstance(listed, Sequence) else ():
            if isinstance(each, Scalar) and "://" not in each.text:
                yield posixpath.normpath(str(directory / each.text))


def namespace_of(name: str, kustomizations: Iterable[Kustomization]) -> str:
    """Return the namespace that Kustomize puts a file's objects in; empty for its own.

    The outermost one has the last word.
    """
    above = [str(each) for each in reversed(PurePosixPath(name).parents)]
    set_by = {each.directory: each.namespace for each in kustomizations}
    return next((set_by[each] for each in above if set_by.get(each)), "")


@dataclass(frozen=True, slots=True)
class ResourceList:
    """What ``resources`` has to list, and why Kustomize would refuse that."""

    names: tuple[str, ...]
    problems: tuple[str, ...]


def list_resources(
    manifests: Manifests, *, without: Collection[str] = ()
) -> ResourceList:
    """Return files with objects for the cluster, and directories that list their own.

    A directory that another one refers to comes with that one, and a Component with
    who uses it. ``without`` are files that are not copied.
    """
    below = {
        each.directory: each
        for each in vendors_kustomizations(manifests)
        if each.directory != "."
    }
    tops = _tops(below)
    names: dict[str, None] = {}
    listed = []
    for file in manifests.files:
        above = [str(each) for each in reversed(PurePosixPath(file.name).parents)]
        owners = [each for each in above if each in below]
        if owners:
            names.update(dict.fromkeys([each for each in owners if each in tops][:1]))
        elif file.cluster_objects and file.name not in without:
            names[file.name] = None
            listed.append(file)
    problems = [*_twice(listed), *_without_kind(listed), *_shared(names, below)]
    return ResourceList(tuple(names), tuple(problems))


def _tops(below: dict[str, Kustomization]) -> set[str]:
    """Return the directories that nobody refers to."""
    referred = {
        each
        for kustomization in below.values()
        for each in kustomization.references - {kustomization.directory}
    }
    return {
        directory
        for directory, each in below.items()
        if each.kind != "Component" and directory not in referred
    }


def _twice(files: Iterable[ManifestFile]) -> list[str]:
    """Return a problem for each object that is there twice."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for file in files:
        for each in file.cluster_objects:
            namespace = each.namespace or "default"
            key = (each.api_version, each.kind, each.name, namespace)
            found.setdefault(key, []).append(file.name)
    return [
        f"{kind} {name} is there {len(places)} times, which Kustomize refuses: "
        f"{', '.join(dict.fromkeys(places))}. Ask your vendor to leave one."
        for (_, kind, name, _), places in found.items()
        if name and len(places) > 1
    ]


def _without_kind(files: Iterable[ManifestFile]) -> list[str]:
    return [
        f"{file.name}:{line} is a document without a kind, which Kustomize refuses. "
        "Ask your vendor to take it out."
        for file in files
        for line in file.manifest.without_kind
    ]


def _shared(names: Iterable[str], below: dict[str, Kustomization]) -> list[str]:
    """Return a problem for each directory that two of the listed ones build on."""
    users: dict[str, list[str]] = {}
    for name in names:
        for each in _reached(name, below):
            users.setdefault(each, []).append(name)
    return [
        f"{' and '.join(used)} build on {each}, so its objects come twice, which "
        "Kustomize refuses. Give the one directory that you want to install."
        for each, used in sorted(users.items())
        if len(used) > 1
    ]


def _reached(start: str, below: dict[str, Kustomization]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if each in below and each not in found:
            found.add(each)
            waiting += below[each].references
    return found
