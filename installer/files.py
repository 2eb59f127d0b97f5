"""Files that a command rewrites on each run, without losing anybody's edits.

A generated file begins with a header that has the checksum of the rest. A file without
the header was made by hand, and one with another checksum was edited. Both are left
alone unless the user forces the change.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from installer.errors import NotOurFile, UsageError

BLOCK_BYTES: Final = 1024 * 1024
_HEADER: Final = (
    "# Written by berth-installer, which writes it again: change an overlay of your "
    "own instead.\n"
    "# sha256 of what follows: {}\n"
)
_HEADER_LINES: Final = re.compile(
    rb"# Written by berth-installer[^\n]*\n# sha256 of what follows: ([0-9a-f]{64})\n"
)
# Not derived from the file's name, which may be as long as names can be.
_TEMPORARY: Final = ".berth-installer-"


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file to write. ``mode`` is 0600 if it has a secret."""

    path: Path
    text: str = field(repr=False)
    mode: int = 0o644

    def write(self) -> None:
        """Write the text under its header. Raises like ``write_file``."""
        body = self.text.encode()
        header = _HEADER.format(hashlib.sha256(body).hexdigest()).encode()
        write_file(self.path, header + body, self.mode)


def is_untouched(content: bytes) -> bool:
    """Return whether a file is still as it was generated."""
    header = _HEADER_LINES.match(content)
    if header is None:
        return False
    return hashlib.sha256(content[header.end() :]).hexdigest() == header[1].decode()


def check_ours(path: Path, *, force: bool) -> None:
    """Check that a generated file may be written here.

    Raises:
        NotOurFile: the file was made or edited by hand, and ``force`` is not set.
    """
    if force or not (path.exists() or path.is_symlink()):
        return
    content = path.read_bytes() if path.is_file() else b""
    if not is_untouched(content):
        change = "edited" if _HEADER_LINES.match(content) else "created"
        raise NotOurFile(
            f"{path} was {change} by hand. Nothing was written. Move it away, or "
            "replace it with --force."
        )


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file atomically; it is never readable by more people than ``mode``.

    Raises:
        UsageError: it cannot be written.
    """
    with _replaced(path, mode) as file:
        file.write(content)


def copy_file(source: Path, path: Path, mode: int) -> str:
    """Copy a file like ``write_file``; return the SHA-256 of the content.

    Raises:
        UsageError: it cannot be written.
    """
    hasher = hashlib.sha256()
    with source.open("rb") as read, _replaced(path, mode) as file:
        while block := read.read(BLOCK_BYTES):
            hasher.update(block)
            file.write(block)
    return hasher.hexdigest()


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextmanager
def _replaced(path: Path, mode: int) -> Iterator[BinaryIO]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", "cannot_write"
        ) from error
