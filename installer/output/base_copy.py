"""``OUT/base``: a copy of the vendor's files, byte for byte.

The copies have no header of ours, so ``OUT/base.sha256`` lists them in the format of
``sha256sum``. A copy that no longer matches the list was edited by hand.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from installer.errors import NotOurFile, UsageError
from installer.files import copy_file, file_hash, is_untouched, write_file
from installer.manifests.paths import is_text, leads_out, printable_name, walk

CHECKSUMS: Final = "base.sha256"
# By file name; an interrupted copy has either the old checksum or the new one.
Checksums = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class SourceFile:
    path: Path
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class BaseCopy:
    """The files to copy to ``directory``, and the earlier copies to remove."""

    directory: Path
    files: dict[str, SourceFile]
    recorded: Checksums
    removed: tuple[str, ...]


def plan_base(
    vendor: Path,
    directory: Path,
    *,
    skip: Path,
    left_out: Collection[str],
    force: bool,
) -> BaseCopy:
    """Plan the copy of all files, whether manifests or not.

    ``skip`` is a directory to ignore, ``left_out`` are names of files.

    Raises:
        NotOurFile: a file in ``directory`` was made or edited by hand.
        UsageError: a file's name cannot be written to the list.
    """
    files = {
        name: SourceFile(path, file_hash(path), stat.S_IMODE(path.stat().st_mode))
        for name, path in vendor_files(vendor, skip=skip).items()
        if name not in left_out
    }
    _check_names(files)
    recorded = _read_checksums(directory)
    removed = {
        name: None
        for name in recorded
        if name not in files and _has_checksum(directory / name, recorded[name])
    }
    for name, source in files.items():
        blocking = _blocking_files(directory, name, removed, force=force)
        removed.update(dict.fromkeys(blocking))
        if not force:
            ours = recorded.get(name, set()) | {source.sha256}
            _check_unedited(directory / name, ours)
    return BaseCopy(directory, files, recorded, tuple(removed))


def vendor_files(vendor: Path, *, skip: Path) -> dict[str, Path]:
    """Return all files of the vendor by their names below the directory."""
    return {
        path.relative_to(vendor).as_posix(): path
        for path in walk(vendor, skip=skip)
        if not leads_out(path, vendor)
    }


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not is_text(name) or "\n" in name or "\r" in name:
            raise UsageError(
                f"The name of the file {printable_name(name)!r} is not UTF-8, or has a "
                "line break. Rename it. Nothing was written.",
                "file_name",
            )


def _has_checksum(path: Path, checksums: Collection[str]) -> bool:
    return path.is_file() and file_hash(path) in checksums


def _check_unedited(path: Path, ours: Collection[str]) -> None:
    if not path.is_file() or _has_checksum(path, ours):
        return
    if not is_untouched(path.read_bytes()):
        raise _edited(path)


def _edited(path: Path) -> NotOurFile:
    return NotOurFile(
        f"{path} was created or edited by hand. Nothing was written. Change an overlay "
        "of your own instead of the base, or replace the file with --force."
    )


def _blocking_files(
    directory: Path, name: str, removed: Collection[str], *, force: bool
) -> list[str]:
    """Return more files to remove, because a directory takes their place.

    Raises:
        NotOurFile: such a file was made or edited by hand; or a file takes the place of
            a directory with a file that is not ours, even with ``force``.
    """
    blocking = []
    for parent in PurePosixPath(name).parents[:-1]:
        path = directory / parent
        if str(parent) not in removed and (path.is_file() or path.is_symlink()):
            if not force:
                raise _edited(path)
            blocking.append(str(parent))
    target = directory / name
    for path in target.rglob("*") if target.is_dir() else ():
        if path.relative_to(directory).as_posix() not in removed and not path.is_dir():
            raise NotOurFile(
                f"{path} was created by hand, and the vendor has a file {name} in "
                "place of its directory. Move it away. Nothing was written."
            )
    return blocking


def copy_base(copy: BaseCopy) -> None:
    """Copy all files, remove outdated copies, and write the list.

    The list is first written with old and new checksums, so that the next run
    recognizes the files of an interrupted copy as ours.
    """
    new = {name: {source.sha256} for name, source in copy.files.items()}
    both = {
        name: copy.recorded.get(name, set()) | new.get(name, set())
        for name in [*new, *(name for name in copy.recorded if name not in new)]
    }
    if both != copy.recorded:
        _write_checksums(copy.directory, both)
    for name in copy.removed:
        (copy.directory / name).unlink(missing_ok=True)
        _remove_empty(copy.directory, (copy.directory / name).parent)
    for name, source in copy.files.items():
        new[name] = {_copied(source, copy.directory / name)}
    _write_checksums(copy.directory, new)


def _copied(source: SourceFile, path: Path) -> str:
    """Copy a file unless its copy is current; return its checksum."""
    if path.is_dir() and not path.is_symlink():
        for root, _, _ in os.walk(path, topdown=False):
            Path(root).rmdir()
    if not path.is_symlink() and _has_checksum(path, {source.sha256}):
        if stat.S_IMODE(path.stat().st_mode) != source.mode:
            path.chmod(source.mode)
        return source.sha256
    return copy_file(source.path, path, source.mode)


def _remove_empty(base: Path, directory: Path) -> None:
    while directory != base and directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
        directory = directory.parent


def _read_checksums(directory: Path) -> Checksums:
    try:
        text = (directory.parent / CHECKSUMS).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    checksums: Checksums = {}
    for line in text.split("\n"):
        checksum, _, name = line.partition("  ")
        if name and _is_below(name):
            checksums.setdefault(name, set()).add(checksum)
    return checksums


def _write_checksums(directory: Path, checksums: Checksums) -> None:
    lines = (
        f"{checksum}  {name}\n"
        for name, of_file in checksums.items()
        for checksum in sorted(of_file)
    )
    write_file(directory.parent / CHECKSUMS, "".join(lines).encode())


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
