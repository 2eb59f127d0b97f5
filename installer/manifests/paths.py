"""The files below a directory: which are manifests, and which names are usable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})


def manifest_paths(directory: Path, *, skip: Path | None = None) -> Iterator[Path]:
    """Yield the paths of all YAML and JSON, in the same order on every machine."""
    for path in walk(directory, skip=skip):
        is_manifest = path.suffix in _SUFFIXES or path.name in KUSTOMIZATIONS
        if is_manifest and not path.name.startswith("."):
            yield path


def walk(directory: Path, *, skip: Path | None = None) -> Iterator[Path]:
    """Yield all files below a directory except in hidden ones, or a single file."""
    if not directory.is_dir():
        yield directory
        return
    for here, _, names in _tree(directory, skip):
        paths = (here / name for name in names)
        yield from (path for path in paths if path.is_file() or path.is_symlink())


def linked_directories(directory: Path, skip: Path | None) -> Iterator[Path]:
    """Yield the links to directories, which ``walk`` does not follow."""
    for here, names, _ in _tree(directory, skip):
        paths = (here / name for name in names)
        yield from (path for path in paths if path.is_symlink())


def _tree(
    directory: Path, skip: Path | None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each directory with the names of its directories and files, sorted."""
    skipped = skip.resolve() if skip else None
    for root, directories, names in os.walk(directory):
        here = Path(root)
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".") and (here / name).resolve() != skipped
        )
        yield here, directories, sorted(names)


def leads_out(path: Path, directory: Path) -> bool:
    """Return whether a path is a link out of the directory, or a dangling one.

    A link to a file in the directory is fine: mounted ConfigMaps have those.
    """
    if not path.is_symlink():
        return False
    target = path.resolve()
    return not target.is_file() or not target.is_relative_to(directory.resolve())


def is_text(name: str) -> bool:
    """Return whether a file's name is UTF-8, like everything that we write."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def printable_name(name: str) -> str:
    """Return a file's name with bytes that are not UTF-8 escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
