"""``airgap``: all images in one OCI layout, to carry where there is no Internet."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from installer.bundle.collect import Collected, Source, collect
from installer.bundle.oci_layout import OciLayout, check_place
from installer.commands.images import problem_entry, problem_lines
from installer.commands.options import (
    add_format,
    add_hosts,
    add_license,
    add_network,
    add_portal,
    add_root_key,
    license_of,
)
from installer.errors import ExitCode, UsageError
from installer.license.file import License
from installer.manifests.directory import Manifests, Place, read_directories
from installer.net.registry import Login, Registry
from installer.plan.images import FAILED, PlannedImage
from installer.plan.own_registry import flat_names, parse_target, refuse_digests
from installer.plan.patch import Decision, decide, own_hosts
from installer.report import Progress, Report, watched
from oci.reference import MalformedName, parse_reference

_ANY_TARGET: Final = "REGISTRY/NAMESPACE"
_PLATFORM: Final = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "airgap", help="fetch all images into one bundle", allow_abbrev=False
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    add_license(parser)
    add_root_key(parser)
    parser.add_argument(
        "--bundle",
        type=_bundle,
        required=True,
        metavar="FILE.tar|DIR",
        help="an OCI image layout; run again to continue one that was interrupted",
    )
    _add_choices(parser)
    parser.add_argument("--force", action="store_true", help="replace a whole tar")
    add_portal(parser)
    add_hosts(parser)
    add_network(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--platform",
        type=_platform,
        metavar="OS/ARCH",
        help="only this one",
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="IMAGE",
        help="do without this image, as the manifests spell it; may be repeated",
    )
    parser.add_argument(
        "--registry",
        type=_target,
        metavar="HOST/NAMESPACE",
        help="your own registry, for the lines that push the bundle",
    )


def run(options: argparse.Namespace) -> Report:
    """Fetch private images through the proxy and public ones from where they are."""
    directory = _working_directory(options)
    manifests = read_directories([options.directory], skip=directory)
    license = license_of(options)
    places = _without(manifests.places(), options.leave_out)
    refuse_digests(places)
    names = flat_names(
        places, options.registry or _ANY_TARGET, own_hosts(options, license)
    )
    decision = decide(options, manifests, license)
    planned = [each for each in decision.planned if each.image in places]
    decision = replace(decision, planned=planned)
    collected = _collected(options, decision, license, OciLayout(directory))
    broken = [each for each in planned if each.fate in FAILED]
    is_whole = not (collected.failed or broken or manifests.problems)
    if is_whole and directory != options.bundle:
        OciLayout(directory).pack(options.bundle)
        OciLayout(directory).remove()
    return _report(options, manifests, collected, broken, names, decision)


def _without(
    places: dict[str, list[Place]], left_out: list[str]
) -> dict[str, list[Place]]:
    for image in left_out:
        if image not in places:
            raise UsageError(f"--leave-out: no manifest names {image}.", "leave_out")
    return {image: named for image, named in places.items() if image not in left_out}


def _working_directory(options: argparse.Namespace) -> Path:
    """Return where the layout grows: the bundle itself, or beside its tar."""
    directory: Path = options.bundle
    if directory.suffix == ".tar":
        if directory.exists() and not options.force:
            raise UsageError(
                f"{directory} is there, and whole. Move it away, or replace it with "
                "--force.",
                "bundle",
            )
        directory = directory.with_name(f"{directory.name}.partial")
    check_place(directory)
    return directory


def _collected(
    options: argparse.Namespace,
    decision: Decision,
    license: License,
    layout: OciLayout,
) -> Collected:
    portal = [decision.portal.host] if decision.portal else []
    login = Login(license.license_id, frozenset([*decision.hosts.all, *portal]))
    sources = [
        Source(each.image, each.new_image or each.image)
        for each in decision.planned
        if each.fate not in FAILED
    ]
    return collect(
        sources,
        Registry(decision.web, login),
        layout,
        platform=options.platform or "",
        progress=Progress("Fetched", shown=watched(wanted=options.progress)),
    )


def _report(
    options: argparse.Namespace,
    manifests: Manifests,
    collected: Collected,
    broken: list[PlannedImage],
    names: dict[str, str],
    decision: Decision,
) -> Report:
    failed = {**{each.image: each.sentence for each in broken}, **collected.failed}
    is_whole = not failed and not manifests.problems
    push = push_lines(collected, names, options.bundle) if is_whole else []
    return Report(
        text=_text(options, manifests, collected, failed, push),
        document={
            "bundle": str(options.bundle),
            "complete": is_whole,
            "images": {name: each.digest for name, each in collected.images.items()},
            "failed": failed,
            "problems": [problem_entry(each) for each in manifests.problems],
            "push": push,
        },
        notes=decision.notes,
        exit_code=ExitCode.DONE if is_whole else ExitCode.INCOMPLETE,
    )


def push_lines(collected: Collected, names: dict[str, str], bundle: Path) -> list[str]:
    """Return shell lines that copy the bundle to the customer's registry."""
    lines, layout = [], bundle
    if bundle.suffix == ".tar":
        layout = Path(bundle.name).with_suffix("")
        quoted, archive = shlex.quote(str(layout)), shlex.quote(bundle.name)
        lines.append(f"mkdir -p {quoted} && tar -xf {archive} -C {quoted}")
    pushed: dict[str, None] = {}
    for image in sorted(collected.images):
        tag = parse_reference(image).tag or "latest"
        target = f"{names[image]}:{tag}"
        if target not in pushed:
            pushed[target] = None
            source = shlex.quote(f"oci:{layout}:{image}")
            lines.append(f"skopeo copy --all {source} docker://{target}")
    return lines


def _text(
    options: argparse.Namespace,
    manifests: Manifests,
    collected: Collected,
    failed: dict[str, str],
    push: list[str],
) -> str:
    lines = [f"in the bundle: {name}" for name in sorted(collected.images)]
    lines += [f"not in it: {name}\n    {why}" for name, why in sorted(failed.items())]
    lines += problem_lines(manifests)
    if not push:
        lines.append(
            f"{options.bundle} is not whole. Mend that and run this again: it goes on. "
            "Or do without an image: --leave-out IMAGE."
        )
        return "\n".join(lines)
    lines += [f"{options.bundle} is whole. Carry it over, and there run:", "", *push]
    return "\n".join(lines)


def _bundle(text: str) -> Path:
    # In oci:PATH:IMAGE, skopeo takes the first colon for the end of the path.
    if ":" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} has a colon, which skopeo cannot read. Give another name"
        )
    return Path(text)


def _platform(text: str) -> str:
    if not _PLATFORM.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no platform like linux/amd64")
    return text


def _target(text: str) -> str:
    try:
        return parse_target(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error
