"""``patch``: Kustomize files that make the manifests pull with the license."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from installer.commands.images import place_entry, problem_entry, problem_lines
from installer.commands.options import (
    add_format,
    add_hosts,
    add_license,
    add_namespaces,
    add_network,
    add_portal,
    add_root_key,
    license_of,
)
from installer.errors import ExitCode, UsageError
from installer.manifests.directory import Manifests, read_directories
from installer.manifests.kustomizations import top_kustomizations
from installer.output.layout import Layout, plan_layout
from installer.plan.images import FAILED, PlannedImage
from installer.plan.own_registry import parse_target
from installer.plan.patch import Work, airgapped_work, online_work
from installer.report import Report
from oci.reference import MalformedName

_OWN_LIST = (
    "The vendor has a kustomization.yaml. Images that it makes or changes itself are "
    "not seen here: look at the result with kubectl kustomize."
)
_LEFT_OUT = (
    "{} is a license, which is a password: it is not copied to the base. Keep it "
    "somewhere else than with the manifests."
)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "patch", help="write base and midstream for Kustomize", allow_abbrev=False
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    add_license(parser)
    add_root_key(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="OUT",
        help="where base/ and overlays/midstream/ are written",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files that were edited by hand"
    )
    _add_airgap(parser)
    add_portal(parser)
    add_hosts(parser)
    add_namespaces(parser)
    add_network(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def _add_airgap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--airgap",
        action="store_true",
        help="for a cluster without the Internet: all images are on --registry",
    )
    parser.add_argument(
        "--registry",
        type=_target,
        metavar="HOST/NAMESPACE",
        help="your own registry, with --airgap",
    )


def run(options: argparse.Namespace) -> Report:
    """Look up all images, decide about each, and write what that needs."""
    if options.airgap != bool(options.registry):
        raise UsageError("--airgap and --registry HOST/NAMESPACE go together.")
    if not options.directory.is_dir():
        raise UsageError(f"{options.directory} is no directory.", "no_directory")
    manifests = read_directories([options.directory], skip=options.out)
    license = license_of(options)
    decide = airgapped_work if options.airgap else online_work
    return _written(options, manifests, decide(options, manifests, license))


def _written(options: argparse.Namespace, manifests: Manifests, work: Work) -> Report:
    layout = plan_layout(
        options.directory,
        manifests,
        options.out,
        midstream=work.midstream,
        secret=work.secret,
        license=options.license,
        force=options.force,
    )
    written = [str(path) for path in layout.write()]
    failed = [each for each in work.planned if each.fate in FAILED]
    refused = [*_unnamed(manifests), *layout.problems, *_lost(manifests, layout)]
    is_whole = work.is_whole and not (failed or manifests.problems or refused)
    own = [_OWN_LIST] if top_kustomizations(manifests) else []
    return Report(
        text=_text(work.planned, manifests, written),
        document={
            "images": [_entry(each) for each in work.planned],
            "problems": [problem_entry(each) for each in manifests.problems],
            "written": written,
        },
        notes=[*work.notes, *map(_LEFT_OUT.format, layout.left_out), *refused, *own],
        exit_code=ExitCode.DONE if is_whole else ExitCode.INCOMPLETE,
    )


def _lost(manifests: Manifests, layout: Layout) -> list[str]:
    """Return a problem for each license that has objects for the cluster beside it."""
    return [
        f"{file.name} has a license and other objects, and all of it is left out. Put "
        "the license into a file of its own."
        for file in manifests.files
        if file.name in layout.left_out and file.cluster_objects
    ]


def _unnamed(manifests: Manifests) -> list[str]:
    """Return a note for each object that Kustomize refuses, for want of a name."""
    found = {
        (file.name, each.kind): None
        for file in manifests.files
        for each in file.cluster_objects
        if not each.name or each.is_generated
    }
    return [
        f"{file} has a {kind} without metadata.name. Kustomize cannot build it: ask "
        "your vendor to name it."
        for file, kind in found
    ]


def _entry(planned: PlannedImage) -> dict[str, Any]:
    return {
        "image": planned.image,
        "result": planned.fate.value,
        "status": planned.status.value if planned.status else None,
        "new_image": planned.new_image or None,
        "detail": planned.sentence,
        "places": [place_entry(each) for each in planned.places],
    }


def _text(planned: list[PlannedImage], manifests: Manifests, written: list[str]) -> str:
    lines = []
    for each in planned:
        arrow = f" -> {each.new_image}" if each.new_image else ""
        lines.append(f"{each.fate.value.replace('_', ' ')}: {each.image}{arrow}")
        if each.fate in FAILED:
            lines.append(f"    {each.sentence}")
            lines += [f"    at {place}" for place in each.places]
    lines += problem_lines(manifests)
    counted = Counter(each.fate for each in planned)
    changed = sum(bool(each.new_image) for each in planned)
    failed = sum(counted[each] for each in FAILED)
    images = "1 image" if len(planned) == 1 else f"{len(planned)} images"
    lines.append(f"{images}: {changed} renamed, {failed} with a problem.")
    lines += [f"Wrote {path}" for path in written]
    return "\n".join(lines)


def _target(text: str) -> str:
    try:
        return parse_target(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error
