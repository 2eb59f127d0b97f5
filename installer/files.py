"""Files that a command writes again and again, and the people's work beside them.

Each begins with a line that holds the checksum of the rest. A file without that line
was made by hand, one with another checksum was edited: both are left alone unless the
user insists.
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

_HEADER: Final = (
    "# Written by berth-installer, which writes it again: change an overlay of your "
    "own instead.\n"
    "# sha256 of what follows: {}\n"
)
_HEADER_LINES: Final = re.compile(
    rb"# Written by berth-installer[^\n]*\n# sha256 of what follows: ([0-9a-f]{64})\n"
)

_BLOCK_BYTES: Final = 1024 * 1024
# A name of its own: one made of the file's may be longer than names can be.
_TEMPORARY: Final = ".berth-installer-"


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file to write. ``mode`` is 0600 for what holds a secret."""

    path: Path
    text: str = field(repr=False)
    mode: int = 0o644

    @property
    def content(self) -> bytes:
        """The text under its header."""
        body = self.text.encode()
        return _HEADER.format(hashlib.sha256(body).hexdigest()).encode() + body


def is_untouched(content: bytes) -> bool:
    """Tell whether a file is as it was generated."""
    header = _HEADER_LINES.match(content)
    if header is None:
        return False
    return hashlib.sha256(content[header.end() :]).hexdigest() == header[1].decode()


def check_ours(path: Path, *, force: bool) -> None:
    """Return if a generated file may be written here.

    Raises:
        NotOurFile: somebody made or changed it, and ``force`` was not given.
    """
    if force or not (path.exists() or path.is_symlink()):
        return
    content = path.read_bytes() if path.is_file() else b""
    if not is_untouched(content):
        what = "was edited" if _HEADER_LINES.match(content) else "was made"
        raise NotOurFile(
            f"{path} {what} by hand, so it is left as it is and nothing was written. "
            "Move it away, or let it be replaced with --force."
        )


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file at one stroke; at no time can more people read it than ``mode``.

    Raises:
        UsageError: it cannot be written.
    """
    with _replaced(path, mode) as file:
        file.write(content)


def copy_file(source: Path, path: Path, mode: int) -> str:
    """Copy a file as ``write_file`` writes one; return the SHA-256 of what it had.

    Raises:
        UsageError: it cannot be written.
    """
    hasher = hashlib.sha256()
    with source.open("rb") as read, _replaced(path, mode) as file:
        while block := read.read(_BLOCK_BYTES):
            hasher.update(block)
            file.write(block)
    return hasher.hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
