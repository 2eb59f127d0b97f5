"""``OUT/base``: the vendor's manifests, byte for byte.

Its files carry no header of ours, so a list beside it, in the format of ``sha256sum``,
says what was copied. A file that is no longer as it was copied was edited by hand.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from installer.errors import NotOurFile, UsageError
from installer.files import (
    GeneratedFile,
    check_ours,
    copy_file,
    file_hash,
    is_untouched,
    write_file,
)
from installer.manifests.directory import (
    KUSTOMIZATIONS,
    Manifests,
    is_text,
    leads_out,
    shown_name,
    walk,
)
from oci.kustomize import API_VERSION, dump_yaml

CHECKSUMS: Final = "base.sha256"
# By file name; a copy that was broken off has the old checksum or the new one.
Checksums = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the vendor."""

    path: Path
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class BaseCopy:
    """What is to be copied to ``directory``, and what goes because it is no more."""

    directory: Path
    files: dict[str, SourceFile]
    recorded: Checksums
    gone: tuple[str, ...]


def plan_base(
    vendor: Path,
    directory: Path,
    *,
    without: Path,
    left_out: Collection[str],
    force: bool,
) -> BaseCopy:
    """Return what to copy into the base directory: all files, manifests or not.

    ``without`` is a directory to pass over, ``left_out`` are names of files.

    Raises:
        NotOurFile: a file there was made or changed by hand.
        UsageError: a file has a name that cannot be written down.
    """
    files = {
        name: _source(path)
        for name, path in vendor_files(vendor, without=without).items()
        if name not in left_out
    }
    _check_names(files)
    recorded = _recorded(directory)
    gone = {
        name: None
        for name in recorded
        if name not in files and _is_as_copied(directory / name, recorded[name])
    }
    for name, source in files.items():
        more = _cleared(directory, name, gone, force=force)
        gone.update(dict.fromkeys(more))
        if not force:
            _check_file(directory / name, recorded.get(name, set()) | {source.sha256})
    return BaseCopy(directory, files, recorded, tuple(gone))


def vendor_files(vendor: Path, *, without: Path) -> dict[str, Path]:
    """Return all files of the vendor by their names below the directory."""
    return {
        path.relative_to(vendor).as_posix(): path
        for path in walk(vendor, without=without)
        if not leads_out(path, vendor)
    }


def _source(path: Path) -> SourceFile:
    return SourceFile(path, file_hash(path), path.stat().st_mode & 0o777)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not is_text(name) or "\n" in name or "\r" in name:
            raise UsageError(
                f"The file {shown_name(name)!r} has a name that is not UTF-8, or has a "
                "line break. Rename it; nothing was written.",
                "file_name",
            )


def _is_as_copied(path: Path, checksums: Collection[str]) -> bool:
    return path.is_file() and file_hash(path) in checksums


def _check_file(there: Path, ours: Collection[str]) -> None:
    if not there.is_file():
        return
    if not _is_as_copied(there, ours) and not is_untouched(there.read_bytes()):
        raise _edited(there)


def _edited(there: Path) -> NotOurFile:
    return NotOurFile(
        f"{there} is not as it was copied: somebody made or changed it. It is "
        "left as it is and nothing was written. Change an overlay of your own "
        "instead of the base, or let it be replaced with --force."
    )


def _cleared(
    directory: Path, name: str, gone: Collection[str], *, force: bool
) -> list[str]:
    """Return files that go besides, as they stand where a directory is to be.

    Raises:
        NotOurFile: one was made or changed by hand; or so was one in a directory that
            stands where a file is to be, which ``force`` does not take away.
    """
    more = []
    for above in PurePosixPath(name).parents[:-1]:
        there = directory / above
        if str(above) not in gone and (there.is_file() or there.is_symlink()):
            if not force:
                raise _edited(there)
            more.append(str(above))
    there = directory / name
    for path in there.rglob("*") if there.is_dir() else ():
        if path.relative_to(directory).as_posix() not in gone and not path.is_dir():
            raise NotOurFile(
                f"{path} is not from us, and the vendor has a file {name} in place of "
                "its directory. Move it away; nothing was written."
            )
    return more


def copy_base(copy: BaseCopy) -> None:
    """Copy all files, take away those that are no more, and write the list.

    The list is there before, with what was and what will be, so that a copy that is
    broken off is known as ours by the next run.
    """
    new = {name: {each.sha256} for name, each in copy.files.items()}
    both = {
        name: copy.recorded.get(name, set()) | new.get(name, set())
        for name in [*new, *(each for each in copy.recorded if each not in new)]
    }
    if both != copy.recorded:
        _write_checksums(copy.directory, both)
    for name in copy.gone:
        (copy.directory / name).unlink(missing_ok=True)
        _remove_empty(copy.directory, (copy.directory / name).parent)
    for name, source in copy.files.items():
        new[name] = {_copied(source, copy.directory / name)}
    _write_checksums(copy.directory, new)


def _copied(source: SourceFile, there: Path) -> str:
    """Copy a file unless it is there; return its checksum."""
    if there.is_dir() and not there.is_symlink():
        for root, _, _ in os.walk(there, topdown=False):
            Path(root).rmdir()
    if not there.is_symlink() and _is_as_copied(there, {source.sha256}):
        if stat.S_IMODE(there.stat().st_mode) != source.mode:
            there.chmod(source.mode)
        return source.sha256
    return copy_file(source.path, there, source.mode)


def _remove_empty(base: Path, directory: Path) -> None:
    while directory != base and directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
        directory = directory.parent


def plan_list(
    manifests: Manifests,
    directory: Path,
    resources: Iterable[str],
    *,
    gone: Collection[str] = (),
    force: bool,
) -> tuple[GeneratedFile | None, tuple[Path, ...]]:
    """Return the list of the base's files, None if the vendor has one.

    Beside it are the lists that go. ``gone`` are copies that go anyway.

    Raises:
        NotOurFile: there is a list that somebody made or changed.
    """
    brought = own_lists(manifests)
    listing = None
    if not brought:
        document = {
            "apiVersion": API_VERSION,
            "kind": "Kustomization",
            "resources": list(resources),
        }
        listing = GeneratedFile(directory / KUSTOMIZATIONS[0], dump_yaml(document))
    # With two of the names in one directory, Kustomize takes neither.
    others = [
        directory / name
        for name in KUSTOMIZATIONS
        if name not in brought and name not in gone
    ]
    for path in others:
        check_ours(path, force=force)
    kept = listing.path if listing else None
    return listing, tuple(each for each in others if each != kept and each.is_file())


def own_lists(manifests: Manifests) -> list[str]:
    """Return which of the three names the vendor's own list has, mostly one or none."""
    return [
        each.name
        for each in manifests.files
        if each.name in KUSTOMIZATIONS
        and each.path.is_file()
        and not is_untouched(each.path.read_bytes())
    ]


def _recorded(directory: Path) -> Checksums:
    try:
        text = (directory.parent / CHECKSUMS).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    found: Checksums = {}
    for line in text.split("\n"):
        checksum, _, name = line.partition("  ")
        if name and _is_below(name):
            found.setdefault(name, set()).add(checksum)
    return found


def _write_checksums(directory: Path, checksums: Checksums) -> None:
    lines = (
        f"{each}  {name}\n"
        for name, found in checksums.items()
        for each in sorted(found)
    )
    write_file(directory.parent / CHECKSUMS, "".join(lines).encode())


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
