"""``OUT``: ``base/`` and ``overlays/midstream/``, checked completely before writing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from installer.errors import UsageError
from installer.files import GeneratedFile, check_ours
from installer.manifests.directory import Manifests
from installer.output.base_copy import BaseCopy, copy_base, plan_base, vendor_files
from installer.output.midstream import SECRET_FILE
from installer.output.resource_list import plan_resource_list

_MIDSTREAM: Final = Path("overlays") / "midstream"


@dataclass(frozen=True, slots=True)
class Layout:
    """All files to write and to remove.

    ``left_out`` are license files, ``problems`` are reasons why Kustomize will refuse
    the result.
    """

    base: BaseCopy | None
    files: tuple[GeneratedFile, ...]
    outdated: tuple[Path, ...]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]

    def write(self) -> list[Path]:
        """Write all files; return the generated ones."""
        if self.base is not None:
            copy_base(self.base)
        for file in self.files:
            file.write()
        for path in self.outdated:
            path.unlink()
        return [file.path for file in self.files]


def plan_layout(
    vendor: Path,
    manifests: Manifests,
    out: Path,
    *,
    midstream: str,
    secret: str,
    license: Path,
    force: bool,
) -> Layout:
    """Plan what to write. ``secret`` is empty if there is no pull secret.

    Raises:
        NotOurFile: a file there was made or edited by hand.
        UsageError: the manifests are in another part of ``out`` than the base, or a
            file's name cannot be written to the list.
    """
    base, directory = out / "base", out / _MIDSTREAM
    files = [GeneratedFile(directory / "kustomization.yaml", midstream)]
    secret_file = directory / SECRET_FILE
    outdated: tuple[Path, ...] = ()
    if secret:
        files.append(GeneratedFile(secret_file, secret, 0o600))
    elif secret_file.is_file():
        outdated = (secret_file,)
    for path in (*(file.path for file in files), *outdated):
        check_ours(path, force=force)
    copy, left_out = None, tuple[str, ...]()
    if not _is_base(vendor, out):
        left_out = _licenses(vendor, manifests, out, license)
        copy = plan_base(vendor, base, skip=out, left_out=left_out, force=force)
    resources = plan_resource_list(
        manifests,
        base,
        left_out=left_out,
        removed=copy.removed if copy else (),
        force=force,
    )
    listed = (resources.file,) if resources.file else ()
    outdated += resources.outdated
    return Layout(copy, (*listed, *files), outdated, left_out, resources.problems)


def _is_base(vendor: Path, out: Path) -> bool:
    """Return whether the vendor's directory is the base itself.

    Raises:
        UsageError: it is another part of our output.
    """
    base = out / "base"
    is_base = vendor.resolve() == base.resolve()
    if not is_base and vendor.resolve().is_relative_to(out.resolve()):
        raise UsageError(
            f"{vendor} is inside {out}. Give the vendor's own directory, or {base}."
        )
    return is_base


def _licenses(
    vendor: Path, manifests: Manifests, out: Path, license: Path
) -> tuple[str, ...]:
    """Return the names of license files, each of which has a password."""
    # A license from a pipe was already read, and is not one of the vendor's files.
    content = license.read_bytes() if license.is_file() else b""
    copies = [
        name
        for name, path in vendor_files(vendor, skip=out).items()
        if content
        and path.stat().st_size == len(content)
        and path.read_bytes() == content
    ]
    others = [
        file.name
        for file in manifests.files
        if any(
            item.kind == "License" and item.api_version.startswith("kots.io/")
            for item in file.manifest.objects
        )
    ]
    return tuple(sorted({*copies, *others}))
