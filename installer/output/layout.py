"""``OUT``: ``base/`` and ``overlays/midstream/``, checked first and then written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from installer.errors import UsageError
from installer.files import GeneratedFile, check_ours
from installer.manifests.directory import Manifests
from installer.manifests.kustomizations import list_resources, own_problems
from installer.output.base_copy import (
    BaseCopy,
    copy_base,
    plan_base,
    plan_list,
    vendor_files,
)
from oci.kustomize import (
    API_VERSION,
    BASES,
    Renaming,
    dump_yaml,
    image_changes,
)

_MIDSTREAM: Final = Path("overlays") / "midstream"
_SECRET: Final = "secret.yaml"  # noqa: S105 -- a file's name


@dataclass(frozen=True, slots=True)
class Layout:
    """All that is going to be written.

    ``left_out`` are licenses, ``problems`` is why Kustomize will refuse the result.
    """

    base: BaseCopy | None
    files: tuple[GeneratedFile, ...]
    gone: tuple[Path, ...]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]


def midstream_text(
    renamings: Sequence[Renaming],
    *,
    kept: Sequence[str],
    patches: Sequence[dict[str, Any]],
    has_secret: bool,
) -> str:
    """Return the ``kustomization.yaml`` over the base."""
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Kustomization",
        "resources": [*BASES, *([_SECRET] if has_secret else [])],
        **image_changes(sorted(renamings, key=lambda each: each.name), kept=kept),
    }
    if patches:
        document["patches"] = list(patches)
    return dump_yaml(document)


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
    """Return what to write, having looked that nobody's work is in the way.

    Raises:
        NotOurFile: somebody made or changed a file there.
        UsageError: the manifests are in no directory of their own, or one has a name
            that cannot be written down.
    """
    base, directory = out / "base", out / _MIDSTREAM
    files = [GeneratedFile(directory / "kustomization.yaml", midstream)]
    if secret:
        files.append(GeneratedFile(directory / _SECRET, secret, 0o600))
    gone = () if secret else _existing(directory / _SECRET)
    for path in [each.path for each in files] + list(gone):
        check_ours(path, force=force)
    copy, left_out = None, tuple[str, ...]()
    if not _is_base(vendor, out):
        left_out = _licenses(vendor, manifests, out, license)
        copy = plan_base(vendor, base, without=out, left_out=left_out, force=force)
    listed = list_resources(manifests, without=left_out)
    dropped = copy.gone if copy else ()
    listing, stale = plan_list(manifests, base, listed.names, gone=dropped, force=force)
    problems = (*own_problems(manifests), *(listed.problems if listing else ()))
    written = (*([listing] if listing else ()), *files)
    return Layout(copy, written, (*gone, *stale), left_out, problems)


def _is_base(vendor: Path, out: Path) -> bool:
    """Tell whether the vendor's directory is the base already.

    Raises:
        UsageError: it is some other part of our output.
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
    """Return the names of license files, each of which holds a password."""
    # What comes through a pipe is read already, and is no file of the vendor's.
    content = license.read_bytes() if license.is_file() else b""
    same = [
        name
        for name, path in vendor_files(vendor, without=out).items()
        if content
        and path.stat().st_size == len(content)
        and path.read_bytes() == content
    ]
    others = [
        file.name
        for file in manifests.files
        if any(
            each.kind == "License" and each.api_version.startswith("kots.io/")
            for each in file.manifest.objects
        )
    ]
    return tuple(sorted({*same, *others}))


def write_layout(layout: Layout) -> list[Path]:
    """Write all of it; return the generated files."""
    if layout.base is not None:
        copy_base(layout.base)
    for each in layout.files:
        each.write()
    for path in layout.gone:
        path.unlink()
    return [each.path for each in layout.files]


def _existing(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else ()
