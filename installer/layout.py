"""``OUT``: ``base/`` and ``overlays/midstream/``, checked first and then written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from installer.base import BaseCopy, base_kustomization, copy_base, plan_base
from installer.errors import UsageFault
from installer.manifests import Manifests
from installer.written import GeneratedFile, check_ours, write_file
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
    """All that is going to be written."""

    base: BaseCopy | None
    files: tuple[GeneratedFile, ...]
    gone: tuple[Path, ...]


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
    force: bool,
) -> Layout:
    """Return what to write, having looked that nobody's work is in the way.

    Raises:
        NotOurFile: somebody made or changed a file there.
        UsageFault: the manifests are in no directory of their own.
    """
    base, directory = out / "base", out / _MIDSTREAM
    is_base = vendor.resolve() == base.resolve()
    if not is_base and vendor.resolve().is_relative_to(out.resolve()):
        raise UsageFault(
            f"{vendor} is inside {out}. Give the vendor's own directory, or {base}."
        )
    copy = None if is_base else plan_base(vendor, base, without=out, force=force)
    files = [GeneratedFile(directory / "kustomization.yaml", midstream)]
    if secret:
        files.append(GeneratedFile(directory / _SECRET, secret, 0o600))
    gone = () if secret else _existing(directory / _SECRET)
    for path in [each.path for each in files] + list(gone):
        check_ours(path, force=force)
    listing = base_kustomization(manifests, base, force=force)
    return Layout(copy, (*([listing] if listing else []), *files), tuple(gone))


def write_layout(layout: Layout) -> list[Path]:
    """Write all of it; return the generated files."""
    if layout.base is not None:
        copy_base(layout.base)
    for each in layout.files:
        write_file(each.path, each.content, each.mode)
    for path in layout.gone:
        path.unlink()
    return [each.path for each in layout.files]


def _existing(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else ()
