"""A bundle on disk: one OCI image layout for all images, which can be continued.

Source: OCI image spec 1.1, "Image Layout". A blob gets its name only when its bytes
have that digest; until then it waits under ``partial/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from installer.errors import InstallerError, NotOurFile
from installer.files import BLOCK_BYTES, file_hash, write_file
from oci.digest import MalformedDigest, parse_digest
from oci.media_types import OCI_INDEX

CHECKSUMS: Final = "SHA256SUMS"
REF_NAME: Final = "org.opencontainers.image.ref.name"
_INDEX: Final = "index.json"
_LAYOUT_FILE: Final = "oci-layout"
_PARTIAL: Final = "partial"
# Says that a directory was begun by us, so that nobody's own is written to or deleted.
_MARKER: Final = ".berth-installer-bundle"
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'


class WrongBytes(InstallerError):  # noqa: N818 -- states the fact
    """What was received is not what its digest or its size promised."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of a blob or of another manifest."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }


def read_descriptor(found: Any) -> Descriptor:
    """Return a descriptor of a manifest.

    Raises:
        WrongBytes: it is none.
    """
    entry = found if isinstance(found, dict) else {}
    media_type, size = entry.get("mediaType"), entry.get("size")
    try:
        digest = parse_digest(str(entry.get("digest")))
    except MalformedDigest as error:
        raise _no_descriptor() from error
    if not isinstance(media_type, str) or type(size) is not int or size < 0:
        raise _no_descriptor()
    return Descriptor(media_type, digest, size)


def _no_descriptor() -> WrongBytes:
    return WrongBytes(
        "A manifest refers to something without a digest or a size.", "manifest"
    )


class OciLayout:
    """One directory with all blobs, each once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._partial = directory / _PARTIAL
        directory.mkdir(parents=True, exist_ok=True)
        # Before all else: without it, the directory is somebody's to the next run.
        (directory / _MARKER).touch()
        self._partial.mkdir(exist_ok=True)

    def has(self, blob: Descriptor) -> bool:
        """Tell whether a blob is there, and is what its digest says."""
        path = self.path(blob.digest)
        if not path.is_file() or path.stat().st_size != blob.size:
            return False
        algorithm, _, encoded = blob.digest.partition(":")
        return file_hash(path, algorithm) == encoded

    def path(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        return self.directory / "blobs" / algorithm / encoded

    def read(self, digest: str) -> bytes:
        return self.path(digest).read_bytes()

    def put(self, content: bytes, digest: str) -> None:
        """Store a small blob.

        Raises:
            WrongBytes: it has another digest.
        """
        check_digest(content, digest)
        write_file(self.path(digest), content)

    @contextmanager
    def continued(self, blob: Descriptor) -> Iterator[PartialBlob]:
        """Yield what there is of a blob, to be added to."""
        path = self._partial / blob.digest.replace(":", "-")
        with path.open("r+b" if path.exists() else "w+b") as file:
            yield PartialBlob(blob, file, path, self.path(blob.digest))

    def finish(self, images: Iterable[tuple[str, Descriptor]]) -> None:
        """Write the index of all images by their names, and the checksums."""
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {**found.to_json(), "annotations": {REF_NAME: name}}
                for name, found in sorted(images)
            ],
        }
        text = json.dumps(index, indent=2, ensure_ascii=False) + "\n"
        write_file(self.directory / _INDEX, text.encode())
        write_file(self.directory / _LAYOUT_FILE, _LAYOUT)
        if not any(self._partial.iterdir()):
            self._partial.rmdir()
        lines = (
            f"{_checksum(path)}  {path.relative_to(self.directory).as_posix()}\n"
            for path in self.files()
        )
        write_file(self.directory / CHECKSUMS, "".join(lines).encode())

    def files(self) -> list[Path]:
        """Return all files of the layout but the checksums and what is not finished."""
        blobs = (path for path in self._blobs.rglob("*") if path.is_file())
        return sorted(
            [
                *(path for path in blobs if not path.name.startswith(".")),
                *(self.directory / name for name in (_INDEX, _LAYOUT_FILE)),
            ]
        )

    def remove(self) -> None:
        """Take the layout away, and its directory if that has nothing else."""
        for directory in (self._blobs, self._partial):
            shutil.rmtree(directory, ignore_errors=True)
        for name in (_INDEX, _LAYOUT_FILE, CHECKSUMS, _MARKER):
            (self.directory / name).unlink(missing_ok=True)
        if not any(self.directory.iterdir()):
            self.directory.rmdir()

    @property
    def _blobs(self) -> Path:
        return self.directory / "blobs"


def check_place(directory: Path) -> None:
    """Return if a layout may grow here: nothing is there, or a layout of ours.

    Raises:
        NotOurFile: it is somebody's file or directory.
    """
    if not directory.exists() and not directory.is_symlink():
        return
    is_directory = directory.is_dir()
    if is_directory and (directory / _MARKER).is_file():
        return
    if not is_directory or any(directory.iterdir()):
        raise NotOurFile(
            f"{directory} is there, and is no bundle that berth-installer began. It is "
            "left as it is. Give another place with --bundle, or move it away."
        )


class PartialBlob:
    """The first bytes of a blob, and what is to come."""

    def __init__(
        self, blob: Descriptor, file: BinaryIO, path: Path, final: Path
    ) -> None:
        self._blob = blob
        self._file = file
        self._path = path
        self._final = final
        self._hasher = hashlib.new(blob.digest.partition(":")[0])
        self.size = 0
        while block := file.read(BLOCK_BYTES):
            self._take(block)
        if self.size > blob.size:
            self.restart()

    def restart(self) -> None:
        """Forget what there is."""
        self._file.seek(0)
        self._file.truncate()
        self._hasher = hashlib.new(self._blob.digest.partition(":")[0])
        self.size = 0

    def add(self, block: bytes) -> None:
        """Add bytes.

        Raises:
            WrongBytes: these are more than there should be.
        """
        if self.size + len(block) > self._blob.size:
            self.restart()
            raise WrongBytes(
                f"More bytes came than {self._blob.digest} has. None were kept.",
                "size",
            )
        self._file.write(block)
        self._take(block)

    def finish(self) -> None:
        """Give the blob its name.

        Raises:
            WrongBytes: it is not what its digest says; nothing of it is kept.
        """
        if self._hasher.hexdigest() != self._blob.digest.partition(":")[2]:
            self.restart()
            raise _wrong_digest(self._blob.digest)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._final.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(self._final)

    def _take(self, block: bytes) -> None:
        self._hasher.update(block)
        self.size += len(block)


def pack(layout: OciLayout, file: Path) -> None:
    """Write the layout as one tar, the same bytes for the same images."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        _write_tar(layout, unfinished)
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _write_tar(layout: OciLayout, file: Path) -> None:
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted([*layout.files(), layout.directory / CHECKSUMS]):
            entry = tarfile.TarInfo(path.relative_to(layout.directory).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(entry, content)


def check_digest(content: bytes, digest: str) -> None:
    """Return if the bytes have the digest, or if there is none to compare with.

    Raises:
        WrongBytes: they have another one.
    """
    algorithm, _, encoded = digest.partition(":")
    if digest and hashlib.new(algorithm, content).hexdigest() != encoded:
        raise _wrong_digest(digest)


def _checksum(path: Path) -> str:
    return path.name if path.parent.name == "sha256" else file_hash(path)


def _wrong_digest(digest: str) -> WrongBytes:
    return WrongBytes(
        f"What came is not {digest}, so it was thrown away. Run this again; if it "
        "stays so, something on the way changes it.",
        "digest",
    )
