"""A blob that is being downloaded, and can be resumed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from installer.bundle.descriptors import Descriptor, InvalidContent, wrong_digest
from installer.files import BLOCK_BYTES


class PartialBlob:
    """The first bytes of a blob, to which the rest is added."""

    def __init__(
        self, blob: Descriptor, file: BinaryIO, path: Path, final: Path
    ) -> None:
        self._blob = blob
        self._file = file
        self._path = path
        self._final = final
        self._algorithm, _, self._encoded = blob.digest.partition(":")
        self._hasher = hashlib.new(self._algorithm)
        self.size = 0
        while block := file.read(BLOCK_BYTES):
            self._count(block)
        if self.size > blob.size:
            self.restart()

    def restart(self) -> None:
        """Discard all bytes."""
        self._file.seek(0)
        self._file.truncate()
        self._hasher = hashlib.new(self._algorithm)
        self.size = 0

    def add(self, block: bytes) -> None:
        """Add bytes.

        Raises:
            InvalidContent: the blob would get too long; all bytes are discarded.
        """
        if self.size + len(block) > self._blob.size:
            self.restart()
            raise InvalidContent(
                f"More bytes arrived than {self._blob.digest} has. They were "
                "discarded.",
                "size",
            )
        self._file.write(block)
        self._count(block)

    def finish(self) -> None:
        """Move the blob to its final path.

        Raises:
            InvalidContent: it has another digest; all bytes are discarded.
        """
        if self._hasher.hexdigest() != self._encoded:
            self.restart()
            raise wrong_digest(self._blob.digest)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._final.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(self._final)

    def _count(self, block: bytes) -> None:
        self._hasher.update(block)
        self.size += len(block)
