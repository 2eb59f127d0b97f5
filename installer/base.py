"""``OUT/base``: the vendor's manifests, byte for byte.

Its files carry no header of ours, so a list beside it, in the format of ``sha256sum``,
says what was copied. A file that is no longer as it was copied was edited by hand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from installer.errors import NotOurFile
from installer.manifests import KUSTOMIZATIONS, Manifests, leads_out, walk
from installer.written import GeneratedFile, check_ours, is_untouched, write_file
from oci.kustomize import API_VERSION, dump_yaml

CHECKSUMS: Final = "base.sha256"


@dataclass(frozen=True, slots=True)
class BaseCopy:
    """What is to be copied to ``directory``, and what goes because it is no more."""

    directory: Path
    content: dict[str, bytes]
    gone: tuple[str, ...]


def plan_base(vendor: Path, directory: Path, *, without: Path, force: bool) -> BaseCopy:
    """Return what to copy into the base directory: all files, manifests or not.

    Raises:
        NotOurFile: a file there was made or changed by hand.
    """
    content = {
        path.relative_to(vendor).as_posix(): path.read_bytes()
        for path in walk(vendor, without=without)
        if not leads_out(path, vendor)
    }
    recorded = _recorded(directory)
    for name, new in content.items():
        there = directory / name
        if force or not there.exists() or there.read_bytes() == new:
            continue
        if recorded.get(name) != _sha256(there.read_bytes()):
            raise NotOurFile(
                f"{there} is not as it was copied: somebody made or changed it. It is "
                "left as it is and nothing was written. Change an overlay of your own "
                "instead of the base, or let it be replaced with --force."
            )
    return BaseCopy(directory, content, _gone(directory, recorded, content))


def _gone(
    directory: Path, recorded: dict[str, str], content: dict[str, bytes]
) -> tuple[str, ...]:
    """Return what an earlier run copied, nobody changed, and the vendor dropped."""
    return tuple(
        name
        for name, checksum in recorded.items()
        if name not in content
        and (directory / name).is_file()
        and _sha256((directory / name).read_bytes()) == checksum
    )


def copy_base(copy: BaseCopy) -> None:
    """Copy all files, take away those that are no more, and write the list."""
    for name, content in copy.content.items():
        there = copy.directory / name
        if not there.is_file() or there.read_bytes() != content:
            write_file(there, content)
    for name in copy.gone:
        (copy.directory / name).unlink()
    lines = (f"{_sha256(each)}  {name}\n" for name, each in copy.content.items())
    write_file(copy.directory.parent / CHECKSUMS, "".join(lines).encode())


def base_kustomization(
    manifests: Manifests, directory: Path, *, force: bool
) -> GeneratedFile | None:
    """Return the list of the base's files; None if the vendor wrote one.

    Raises:
        NotOurFile: there is one that somebody made or changed.
    """
    listed = [each for each in manifests.files if each.name in KUSTOMIZATIONS]
    if any(not is_untouched(each.path.read_bytes()) for each in listed):
        return None
    path = directory / KUSTOMIZATIONS[0]
    check_ours(path, force=force)
    document = {
        "apiVersion": API_VERSION,
        "kind": "Kustomization",
        "resources": _resources(manifests),
    }
    return GeneratedFile(path, dump_yaml(document))


def _resources(manifests: Manifests) -> list[str]:
    """Return files with objects for the cluster; directories that list their own."""
    paths = {PurePosixPath(each.name): each for each in manifests.files}
    own = {
        each.parent for each in paths if each.name in KUSTOMIZATIONS and each.parts[1:]
    }
    found: dict[str, None] = {}
    for path, file in paths.items():
        above = [each for each in reversed(path.parents) if each in own]
        if above:
            found[str(above[0])] = None
        elif file.cluster_objects:
            found[str(path)] = None
    return list(found)


def _recorded(directory: Path) -> dict[str, str]:
    try:
        text = (directory.parent / CHECKSUMS).read_text()
    except OSError:
        return {}
    pairs = (line.partition("  ") for line in text.splitlines())
    return {name: checksum for checksum, _, name in pairs if name and _is_below(name)}


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
