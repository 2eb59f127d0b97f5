"""The vendor's manifests: every file of a directory, and what it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from installer.errors import UsageError
from oci.pod_images import KubernetesObject, Manifest, PodImage, read_manifest
from oci.yaml_documents import (
    MalformedYaml,
    Mapping,
    Scalar,
    Sequence,
    yaml_documents,
)

MAX_FILE_BYTES: Final = 50_000_000
KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
# What speaks to the app manager, and is not for the cluster.
_APPLICATION_GROUPS: Final = frozenset({"kots.io", "app.k8s.io"})
_OUR_GROUPS: Final = _APPLICATION_GROUPS | {
    "kustomize.config.k8s.io",
    "kurl.sh",
    "troubleshoot.sh",
    "troubleshoot.replicated.com",
}


_NOTHING: Final = Manifest((), ())


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file. ``problem`` is a sentence if it cannot be read."""

    path: Path
    name: str
    manifest: Manifest = _NOTHING
    problem: str = ""

    @property
    def cluster_objects(self) -> list[KubernetesObject]:
        """Return its objects but those that are for an app manager or Kustomize."""
        if self.path.name in KUSTOMIZATIONS:
            return []
        return [
            each
            for each in self.manifest.objects
            if each.api_version.rpartition("/")[0] not in _OUR_GROUPS
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is named."""

    file: str
    found: PodImage

    def __str__(self) -> str:
        container = (
            f", container {self.found.container}" if self.found.container else ""
        )
        where = f" in namespace {self.found.object.namespace}"
        namespace = where if self.found.object.namespace else ""
        return (
            f"{self.file}:{self.found.line} {self.found.object}{namespace}{container}"
        )


@dataclass(frozen=True, slots=True)
class Manifests:
    """All files of one directory, or of several."""

    files: tuple[ManifestFile, ...]

    @property
    def problems(self) -> list[ManifestFile]:
        return [each for each in self.files if each.problem]

    def places(self) -> dict[str, list[Place]]:
        """Return every image as it is spelled, with all places that name it."""
        found: dict[str, list[Place]] = {}
        for file in self.files:
            for each in file.manifest.images:
                found.setdefault(each.image, []).append(Place(file.name, each))
        return dict(sorted(found.items()))


def read_directories(
    directories: list[Path], *, without: Path | None = None
) -> Manifests:
    """Read all YAML and JSON below some directories, or single files of it.

    ``without`` is a directory to pass over, because it is our own output.

    Raises:
        UsageError: one of them is not there.
    """
    several = len(directories) > 1
    files = []
    for directory in directories:
        if not directory.exists():
            raise UsageError(f"There is no {directory}.", "no_directory")
        for path in manifest_paths(directory, without=without):
            is_single = path == directory
            below = path.name if is_single else path.relative_to(directory).as_posix()
            name = str(path) if several else below
            is_named = is_text(name)
            files.append(
                _read(path, name, directory) if is_named else _unnamed(path, name)
            )
        files += _linked_directories(directory, without)
    return Manifests(tuple(files))


def manifest_paths(directory: Path, *, without: Path | None = None) -> Iterator[Path]:
    """Yield the paths of all YAML and JSON, in one order on all machines."""
    for path in walk(directory, without=without):
        is_manifest = path.suffix in _SUFFIXES or path.name in KUSTOMIZATIONS
        if is_manifest and not path.name.startswith("."):
            yield path


def walk(directory: Path, *, without: Path | None = None) -> Iterator[Path]:
    """Yield all files below a directory but those in hidden ones; or a single file."""
    if not directory.is_dir():
        yield directory
        return
    for here, _, names in _tree(directory, without):
        paths = (here / name for name in names)
        yield from (path for path in paths if path.is_file() or path.is_symlink())


def _linked_directories(
    directory: Path, without: Path | None
) -> Iterator[ManifestFile]:
    """Yield the links to directories, which are not followed, as problems."""
    for here, names, _ in _tree(directory, without):
        for path in (here / each for each in names):
            if path.is_symlink():
                name = shown_name(path.relative_to(directory).as_posix())
                problem = "It is a link to a directory, and is not followed."
                yield ManifestFile(path, name, problem=problem)


def _tree(
    directory: Path, without: Path | None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each directory with its directories and files, in one order."""
    skipped = without.resolve() if without else None
    for root, directories, names in os.walk(directory):
        here = Path(root)
        directories[:] = sorted(
            each
            for each in directories
            if not each.startswith(".") and (here / each).resolve() != skipped
        )
        yield here, directories, sorted(names)


def leads_out(path: Path, directory: Path) -> bool:
    """Tell of a link that leads out of the directory, or nowhere.

    One that leads to a file beside it is well: a mounted ConfigMap has such.
    """
    if not path.is_symlink():
        return False
    target = path.resolve()
    return not target.is_file() or not target.is_relative_to(directory.resolve())


def is_text(name: str) -> bool:
    """Tell whether a file's name is UTF-8, as all that we write is."""
    return name.isascii() or not any("\ud800" <= each <= "\udfff" for each in name)


def shown_name(name: str) -> str:
    """Return a name that can be printed, with the bytes that are no UTF-8 escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _unnamed(path: Path, name: str) -> ManifestFile:
    problem = "Its name is not UTF-8. Rename it."
    return ManifestFile(path, shown_name(name), problem=problem)


def _read(path: Path, name: str, directory: Path) -> ManifestFile:
    if leads_out(path, directory):
        return ManifestFile(path, name, problem="It is a link out of the directory.")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return ManifestFile(path, name, problem="It is larger than 50 MB.")
        text = path.read_bytes().decode("utf-8-sig")
        manifest = read_manifest(text, max_bytes=MAX_FILE_BYTES)
    except UnicodeDecodeError:
        return ManifestFile(path, name, problem="It is not text in UTF-8.")
    except OSError as error:
        return ManifestFile(path, name, problem=f"It cannot be read: {error.strerror}.")
    except MalformedYaml as error:
        return ManifestFile(path, name, problem=str(error))
    return ManifestFile(path, name, manifest)


def additional_namespaces(files: list[Path]) -> tuple[str, ...]:
    """Return ``additionalNamespaces`` of all Application manifests, sorted.

    Files that cannot be read have none; ``read_directories`` reports them.
    """
    found: set[str] = set()
    for path in files:
        try:
            content = path.read_bytes()
            if b"additionalNamespaces" not in content:
                continue
            text = content.decode("utf-8-sig")
            for document in yaml_documents(text, max_bytes=MAX_FILE_BYTES):
                found.update(_namespaces(document))
        except (OSError, ValueError):
            continue
    return tuple(sorted(found))


def _namespaces(document: object) -> Iterator[str]:
    if not isinstance(document, Mapping) or document.text("kind") != "Application":
        return
    spec = document.get("spec")
    group = document.text("apiVersion").rpartition("/")[0]
    if group not in _APPLICATION_GROUPS or not isinstance(spec, Mapping):
        return
    listed = spec.get("additionalNamespaces")
    for each in listed.items if isinstance(listed, Sequence) else ():
        if isinstance(each, Scalar) and not each.is_null:
            yield each.text.strip()
