"""A bundle on disk: one OCI image layout for all images, which can be resumed.

Source: OCI image spec 1.1, "Image Layout". A blob gets its name only when its content
has that digest; until then it is in ``partial/``.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from installer.bundle.descriptors import Descriptor, check_digest
from installer.bundle.partial_blob import PartialBlob
from installer.errors import NotOurFile
from installer.files import file_hash, write_file
from oci.media_types import OCI_INDEX

CHECKSUMS: Final = "SHA256SUMS"
REF_NAME: Final = "org.opencontainers.image.ref.name"
_INDEX: Final = "index.json"
_LAYOUT_FILE: Final = "oci-layout"
_PARTIAL: Final = "partial"
# Marks a directory as ours, so that we never write to or delete from another one.
_MARKER: Final = ".berth-installer-bundle"
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'


class OciLayout:
    """One directory with all blobs, each once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._blobs = directory / "blobs"
        self._partial = directory / _PARTIAL
        directory.mkdir(parents=True, exist_ok=True)
        # First of all: the next run would refuse a directory without the marker.
        (directory / _MARKER).touch()
        self._partial.mkdir(exist_ok=True)

    def has(self, blob: Descriptor) -> bool:
        """Return whether a blob is there with the right content."""
        path = self.path(blob.digest)
        if not path.is_file() or path.stat().st_size != blob.size:
            return False
        algorithm, _, encoded = blob.digest.partition(":")
        return file_hash(path, algorithm) == encoded

    def path(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        return self._blobs / algorithm / encoded

    def put(self, content: bytes, digest: str) -> None:
        """Store a small blob.

        Raises:
            InvalidContent: it has another digest.
        """
        check_digest(content, digest)
        write_file(self.path(digest), content)

    @contextmanager
    def partial(self, blob: Descriptor) -> Iterator[PartialBlob]:
        """Yield the part of a blob that was downloaded so far."""
        path = self._partial / blob.digest.replace(":", "-")
        with path.open("r+b" if path.exists() else "w+b") as file:
            yield PartialBlob(blob, file, path, self.path(blob.digest))

    def finish(self, images: Iterable[tuple[str, Descriptor]]) -> None:
        """Write the index of all images by their names, and the checksums."""
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {**descriptor.to_json(), "annotations": {REF_NAME: name}}
                for name, descriptor in sorted(images)
            ],
        }
        text = json.dumps(index, indent=2, ensure_ascii=False) + "\n"
        write_file(self.directory / _INDEX, text.encode())
        write_file(self.directory / _LAYOUT_FILE, _LAYOUT)
        if not any(self._partial.iterdir()):
            self._partial.rmdir()
        lines = (
            f"{_sha256(path)}  {path.relative_to(self.directory).as_posix()}\n"
            for path in self._files()
        )
        write_file(self.directory / CHECKSUMS, "".join(lines).encode())

    def _files(self) -> list[Path]:
        """Return all finished files of the layout except the checksums."""
        blobs = (path for path in self._blobs.rglob("*") if path.is_file())
        return sorted(
            [
                *(path for path in blobs if not path.name.startswith(".")),
                *(self.directory / name for name in (_INDEX, _LAYOUT_FILE)),
            ]
        )

    def pack(self, file: Path) -> None:
        """Write the layout to a tar: the same bytes for the same images."""
        unfinished = file.with_name(f".{file.name}.unfinished")
        try:
            self._write_tar(unfinished)
            unfinished.replace(file)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def _write_tar(self, file: Path) -> None:
        with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted([*self._files(), self.directory / CHECKSUMS]):
                entry = tarfile.TarInfo(path.relative_to(self.directory).as_posix())
                entry.size = path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(entry, content)

    def remove(self) -> None:
        """Delete the layout, and its directory if nothing else is in there."""
        for directory in (self._blobs, self._partial):
            shutil.rmtree(directory, ignore_errors=True)
        for name in (_INDEX, _LAYOUT_FILE, CHECKSUMS, _MARKER):
            (self.directory / name).unlink(missing_ok=True)
        if not any(self.directory.iterdir()):
            self.directory.rmdir()


def check_place(directory: Path) -> None:
    """Check that a layout may be written here: nothing exists, or a layout of ours.

    Raises:
        NotOurFile: another file or directory exists.
    """
    if not directory.exists() and not directory.is_symlink():
        return
    is_directory = directory.is_dir()
    if is_directory and (directory / _MARKER).is_file():
        return
    if not is_directory or any(directory.iterdir()):
        raise NotOurFile(
            f"{directory} exists, but is not a bundle of berth-installer. Move it "
            "away, or give another path with --bundle."
        )


def _sha256(path: Path) -> str:
    return path.name if path.parent.name == "sha256" else file_hash(path)
