"""``airgap``: fetch all images into one bundle for a cluster without the Internet."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Final

from installer.bundle.collect import Collected, Source, collect
from installer.bundle.oci_layout import OciLayout, check_place
from installer.commands.connect import (
    Connection,
    connect,
    known_hosts,
    verified_license,
)
from installer.commands.entries import problem_entry, problem_lines
from installer.commands.options import add_connection, add_own_registry
from installer.errors import ExitCode, UsageError
from installer.license.file import License
from installer.manifests.directory import Manifests, Place, read_directories
from installer.net.registry import Login, Registry
from installer.plan.images import FAILED, PlannedImage
from installer.plan.own_registry import own_names, refuse_digests
from installer.report import Progress, Report
from oci.reference import parse_reference

_ANY_REGISTRY: Final = "REGISTRY/NAMESPACE"
_PLATFORM: Final = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR")
    _add_bundle(parser)
    parser.add_argument(
        "--platform",
        type=_platform,
        metavar="OS/ARCH",
        help="fetch this platform only",
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="IMAGE",
        help="skip this image, spelled as in the manifests; may be repeated",
    )
    add_own_registry(parser, "for the commands that push the bundle")
    add_connection(parser)


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle",
        type=_bundle,
        required=True,
        metavar="FILE.tar|DIR",
        help="an OCI image layout; rerun to resume an interrupted one",
    )
    parser.add_argument("--force", action="store_true", help="replace a complete tar")


def run(options: argparse.Namespace) -> Report:
    """Fetch private images through the proxy, and public ones directly."""
    directory = _layout_directory(options)
    manifests = read_directories([options.directory], skip=directory)
    license = verified_license(options)
    places = _without(manifests.places(), options.leave_out)
    refuse_digests(places)
    registry = options.registry or _ANY_REGISTRY
    names = own_names(places, registry, known_hosts(options, license))
    connection = connect(options, license)
    looked_up = Progress("Looked up", always=options.progress)
    planned = connection.plan_images(places, looked_up)
    layout = OciLayout(directory)
    collected = _collect(options, connection, license, planned, layout)
    is_complete = not (collected.failed or manifests.problems)
    if is_complete and directory != options.bundle:
        layout.pack(options.bundle)
        layout.remove()
    push = push_commands(collected, names, options.bundle) if is_complete else None
    return Report(
        text=_text(options.bundle, manifests, collected, push),
        document={
            "bundle": str(options.bundle),
            "complete": is_complete,
            "images": {name: item.digest for name, item in collected.images.items()},
            "failed": collected.failed,
            "problems": [problem_entry(file) for file in manifests.problems],
            "push": push or [],
        },
        notes=connection.notes,
        exit_code=ExitCode.DONE if is_complete else ExitCode.INCOMPLETE,
    )


def _without(
    places: dict[str, list[Place]], left_out: list[str]
) -> dict[str, list[Place]]:
    for image in left_out:
        if image not in places:
            raise UsageError(f"--leave-out: no manifest names {image}.", "leave_out")
    return {image: named for image, named in places.items() if image not in left_out}


def _layout_directory(options: argparse.Namespace) -> Path:
    """Return where to build the layout: the bundle itself, or beside its tar."""
    directory: Path = options.bundle
    if directory.suffix == ".tar":
        if directory.exists() and not options.force:
            raise UsageError(
                f"{directory} exists and is complete. Move it away, or replace it with "
                "--force.",
                "bundle",
            )
        directory = directory.with_name(f"{directory.name}.partial")
    check_place(directory)
    return directory


def _collect(
    options: argparse.Namespace,
    connection: Connection,
    license: License,
    planned: list[PlannedImage],
    layout: OciLayout,
) -> Collected:
    """Fetch the images that have a plan; the others have failed."""
    portal = [connection.portal.host] if connection.portal else []
    login = Login(license.license_id, frozenset([*connection.hosts.all, *portal]))
    failed = {item.image: item.sentence for item in planned if item.fate in FAILED}
    collected = collect(
        [
            Source(item.image, item.new_image or item.image)
            for item in planned
            if item.image not in failed
        ],
        Registry(connection.client, login),
        layout,
        platform=options.platform or "",
        progress=Progress("Fetched", always=options.progress),
    )
    return Collected(collected.images, failed | collected.failed)


def push_commands(
    collected: Collected, names: dict[str, str], bundle: Path
) -> list[str]:
    """Return shell commands that copy the bundle to the customer's registry."""
    commands, layout = [], bundle
    if bundle.suffix == ".tar":
        layout = Path(bundle.name).with_suffix("")
        quoted, archive = shlex.quote(str(layout)), shlex.quote(bundle.name)
        commands.append(f"mkdir -p {quoted} && tar -xf {archive} -C {quoted}")
    sources: dict[str, str] = {}
    for image in sorted(collected.images):
        tag = parse_reference(image).tag or "latest"
        sources.setdefault(f"{names[image]}:{tag}", f"oci:{layout}:{image}")
    return commands + [
        f"skopeo copy --all {shlex.quote(source)} docker://{target}"
        for target, source in sources.items()
    ]


def _text(
    bundle: Path, manifests: Manifests, collected: Collected, push: list[str] | None
) -> str:
    lines = [f"in the bundle: {name}" for name in sorted(collected.images)]
    for name, sentence in sorted(collected.failed.items()):
        lines.append(f"missing: {name}\n    {sentence}")
    lines += problem_lines(manifests)
    if push is not None:
        lines.append(
            f"{bundle} is complete. Copy it to where your registry is, and run:"
        )
        lines += ["", *push]
    else:
        lines.append(
            f"{bundle} is incomplete. Fix this and rerun to resume, or skip an image "
            "with --leave-out IMAGE."
        )
    return "\n".join(lines)


def _bundle(text: str) -> Path:
    # In oci:PATH:IMAGE, skopeo ends the path at the first colon.
    if ":" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} has a colon, which skopeo cannot read. Give another name"
        )
    return Path(text)


def _platform(text: str) -> str:
    if not _PLATFORM.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a platform like linux/amd64")
    return text
