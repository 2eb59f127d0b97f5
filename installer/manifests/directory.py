"""The vendor's manifests: every file of a directory, and the images that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from installer.errors import UsageError
from installer.manifests.paths import (
    KUSTOMIZATIONS,
    is_text,
    leads_out,
    linked_directories,
    manifest_paths,
    printable_name,
)
from oci.pod_images import KubernetesObject, Manifest, PodImage, read_manifest
from oci.yaml_documents import MalformedYaml

MAX_FILE_BYTES: Final = 50_000_000
# Objects that are not for the cluster but for an app manager or another tool.
_TOOL_GROUPS: Final = frozenset(
    {
        "kots.io",
        "app.k8s.io",
        "kustomize.config.k8s.io",
        "kurl.sh",
        "troubleshoot.sh",
        "troubleshoot.replicated.com",
    }
)
_EMPTY: Final = Manifest((), ())


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file. ``problem`` is a sentence if it cannot be read."""

    path: Path
    name: str
    manifest: Manifest = _EMPTY
    problem: str = ""

    @property
    def cluster_objects(self) -> list[KubernetesObject]:
        """Return its objects except those for an app manager or Kustomize."""
        if self.path.name in KUSTOMIZATIONS:
            return []
        return [
            item
            for item in self.manifest.objects
            if item.api_version.rpartition("/")[0] not in _TOOL_GROUPS
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """A place where an image is named."""

    file: str
    pod_image: PodImage

    def __str__(self) -> str:
        item, container = self.pod_image.object, self.pod_image.container
        where = f"{self.file}:{self.pod_image.line} {item}"
        if item.namespace:
            where += f" in namespace {item.namespace}"
        return f"{where}, container {container}" if container else where


@dataclass(frozen=True, slots=True)
class Manifests:
    """All files of one or several directories."""

    files: tuple[ManifestFile, ...]

    @property
    def problems(self) -> list[ManifestFile]:
        return [file for file in self.files if file.problem]

    def places(self) -> dict[str, list[Place]]:
        """Return every image as it is spelled, with all places that name it."""
        places: dict[str, list[Place]] = {}
        for file in self.files:
            for item in file.manifest.images:
                places.setdefault(item.image, []).append(Place(file.name, item))
        return dict(sorted(places.items()))


def read_directories(directories: list[Path], *, skip: Path | None = None) -> Manifests:
    """Read all YAML and JSON below some directories, or single files.

    ``skip`` is a directory to leave out, because it is our own output.

    Raises:
        UsageError: a directory does not exist.
    """
    files: list[ManifestFile] = []
    for directory in directories:
        if not directory.exists():
            raise UsageError(f"{directory} does not exist.", "no_directory")
        for path in manifest_paths(directory, skip=skip):
            below = path.name if path == directory else path.relative_to(directory)
            name = str(path) if len(directories) > 1 else Path(below).as_posix()
            files.append(_read(path, name, directory))
        files += _links(directory, skip)
    return Manifests(tuple(files))


def _links(directory: Path, skip: Path | None) -> Iterator[ManifestFile]:
    for path in linked_directories(directory, skip):
        name = printable_name(path.relative_to(directory).as_posix())
        problem = "It is a link to a directory, which is not followed."
        yield ManifestFile(path, name, problem=problem)


def _read(path: Path, name: str, directory: Path) -> ManifestFile:
    if not is_text(name):
        problem = "Its name is not UTF-8. Rename it."
        return ManifestFile(path, printable_name(name), problem=problem)
    if leads_out(path, directory):
        return ManifestFile(path, name, problem="It is a link out of the directory.")
    try:
        return ManifestFile(path, name, _manifest(path))
    except UnicodeDecodeError:
        problem = "It is not UTF-8 text."
    except OSError as error:
        problem = f"It cannot be read: {error.strerror}."
    except MalformedYaml as error:
        problem = str(error)
    return ManifestFile(path, name, problem=problem)


def _manifest(path: Path) -> Manifest:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise MalformedYaml("It is larger than 50 MB.")
    text = path.read_bytes().decode("utf-8-sig")
    return read_manifest(text, max_bytes=MAX_FILE_BYTES)
