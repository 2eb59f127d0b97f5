"""``OUT/base/kustomization.yaml``: the base's resources, unless the vendor lists them.

Source: Kustomize, "resources" and "components". It refuses an object that occurs twice,
a document without a kind, and a Component as a resource.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from installer.files import GeneratedFile, check_ours
from installer.manifests.directory import ManifestFile, Manifests
from installer.manifests.kustomizations import (
    Kustomization,
    ancestors,
    top_kustomizations,
    vendor_kustomizations,
)
from installer.manifests.paths import KUSTOMIZATIONS
from oci.kustomize import API_VERSION, dump_yaml


@dataclass(frozen=True, slots=True)
class ResourceList:
    """The file to write, if any, the outdated ones to remove, and the problems.

    A problem is the reason why Kustomize will refuse the base.
    """

    file: GeneratedFile | None
    outdated: tuple[Path, ...]
    problems: tuple[str, ...]


def plan_resource_list(
    manifests: Manifests,
    directory: Path,
    *,
    left_out: Collection[str] = (),
    removed: Collection[str] = (),
    force: bool,
) -> ResourceList:
    """Plan the list of the base's resources.

    ``left_out`` are files that are not copied to the base, ``removed`` are copies that
    are removed anyway.

    Raises:
        NotOurFile: a list there was made or edited by hand.
    """
    theirs = top_kustomizations(manifests)
    # Kustomize accepts only one of the three names in a directory.
    ours = [
        directory / name
        for name in KUSTOMIZATIONS
        if name not in theirs and name not in removed
    ]
    for path in ours:
        check_ours(path, force=force)
    problems = _vendor_problems(manifests)
    file = None
    if not theirs:
        resources, listing_problems = _resources(manifests, left_out)
        problems += listing_problems
        file = _list_file(directory, resources)
    kept = file.path if file else None
    outdated = tuple(path for path in ours if path != kept and path.is_file())
    return ResourceList(file, outdated, tuple(problems))


def _list_file(directory: Path, resources: Iterable[str]) -> GeneratedFile:
    document = {
        "apiVersion": API_VERSION,
        "kind": "Kustomization",
        "resources": list(resources),
    }
    return GeneratedFile(directory / KUSTOMIZATIONS[0], dump_yaml(document))


def _vendor_problems(manifests: Manifests) -> list[str]:
    """Return why Kustomize refuses the vendor's own lists."""
    by_directory: dict[str, list[Kustomization]] = {}
    for item in vendor_kustomizations(manifests):
        by_directory.setdefault(item.directory, []).append(item)
    problems = [
        f"{' and '.join(item.file for item in items)} are in one directory, which "
        "Kustomize refuses. Ask your vendor to remove one."
        for items in by_directory.values()
        if len(items) > 1
    ]
    if any(item.kind == "Component" for item in by_directory.get(".", ())):
        problems.append(
            "The vendor's directory is a Component, which Kustomize refuses as a base. "
            "Give the directory that uses it."
        )
    return problems


def _resources(
    manifests: Manifests, left_out: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return files with cluster objects and directories with a list, and problems.

    A directory that another one refers to is listed by that one only, and a Component
    by its user.
    """
    lists = {
        item.directory: item
        for item in vendor_kustomizations(manifests)
        if item.directory != "."
    }
    roots = _roots(lists)
    names: dict[str, None] = {}
    files = []
    for file in manifests.files:
        owners = [path for path in ancestors(file.name) if path in lists]
        if owners:
            names.update(dict.fromkeys([path for path in owners if path in roots][:1]))
        elif file.cluster_objects and file.name not in left_out:
            names[file.name] = None
            files.append(file)
    problems = [*_duplicates(files), *_without_kind(files), *_shared(names, lists)]
    return list(names), problems


def _roots(lists: dict[str, Kustomization]) -> set[str]:
    """Return the directories that no other one refers to."""
    referenced = {
        reference
        for directory, item in lists.items()
        for reference in item.references - {directory}
    }
    return {
        directory
        for directory, item in lists.items()
        if item.kind != "Component" and directory not in referenced
    }


def _duplicates(files: Iterable[ManifestFile]) -> list[str]:
    """Return a problem for each object that occurs more than once."""
    places: dict[tuple[str, str, str, str], list[str]] = {}
    for file in files:
        for item in file.cluster_objects:
            namespace = item.namespace or "default"
            key = (item.api_version, item.kind, item.name, namespace)
            places.setdefault(key, []).append(file.name)
    return [
        f"{kind} {name} occurs {len(names)} times, which Kustomize refuses: "
        f"{', '.join(dict.fromkeys(names))}. Ask your vendor to remove the duplicates."
        for (_, kind, name, _), names in places.items()
        if name and len(names) > 1
    ]


def _without_kind(files: Iterable[ManifestFile]) -> list[str]:
    return [
        f"{file.name}:{line} is a document without a kind, which Kustomize refuses. "
        "Ask your vendor to remove it."
        for file in files
        for line in file.manifest.without_kind
    ]


def _shared(names: Iterable[str], lists: dict[str, Kustomization]) -> list[str]:
    """Return a problem for each directory that two of the listed ones use."""
    users: dict[str, list[str]] = {}
    for name in names:
        for directory in _reachable(name, lists):
            users.setdefault(directory, []).append(name)
    return [
        f"{' and '.join(used_by)} both use {directory}, so its objects occur twice, "
        "which Kustomize refuses. Give the one directory that you want to install."
        for directory, used_by in sorted(users.items())
        if len(used_by) > 1
    ]


def _reachable(start: str, lists: dict[str, Kustomization]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        directory = waiting.pop()
        if directory in lists and directory not in reached:
            reached.add(directory)
            waiting += lists[directory].references
    return reached
