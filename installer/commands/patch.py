"""``patch``: write Kustomize files that make the manifests pull with the license."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installer.commands.connect import connect, known_hosts, verified_license
from installer.commands.entries import place_entry, problem_entry, problem_lines
from installer.commands.options import add_connection, add_namespaces, add_own_registry
from installer.errors import ExitCode, UsageError
from installer.license.file import License
from installer.manifests.application import additional_namespaces
from installer.manifests.directory import Manifests, read_directories
from installer.manifests.kustomizations import top_kustomizations, vendor_kustomizations
from installer.output.layout import Layout, plan_layout
from installer.output.midstream import midstream_text
from installer.plan.images import FAILED, PlannedImage
from installer.plan.namespaces import namespaces_for, namespaces_of_pods
from installer.plan.own_registry import plan_own_registry
from installer.plan.problems import (
    conflicting_secrets,
    objects_beside_licenses,
    unnamed_objects,
    vendor_renamings,
)
from installer.plan.pull_secrets import pull_secrets, secrets_yaml
from installer.report import Progress, Report
from oci.pull_secrets import pull_secret_name

_LOGIN_IS_YOURS = (
    "No pull secret was written, because the license does not open your own registry. "
    "If that requires a login, add its Secret to the service accounts of the pods."
)
_VENDOR_LIST = (
    "The vendor has a kustomization.yaml. Images that it adds or changes are not "
    "visible here: check the result with kubectl kustomize."
)
_LEFT_OUT = (
    "{} is a license file. It works like a password, so it was not copied to the base. "
    "Do not keep it with the manifests."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="OUT",
        help="where to write base/ and overlays/midstream/",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files that were edited by hand"
    )
    parser.add_argument(
        "--airgap",
        action="store_true",
        help="for a cluster without the Internet: pull all images from --registry",
    )
    add_own_registry(parser, "with --airgap")
    add_namespaces(parser)
    add_connection(parser)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to write. ``problems`` are what files of ours cannot solve."""

    images: list[PlannedImage]
    midstream: str
    secret: str = field(repr=False)
    notes: list[str]
    problems: list[str]


def run(options: argparse.Namespace) -> Report:
    """Decide about all images, and write what that needs."""
    if options.airgap != bool(options.registry):
        raise UsageError("--airgap and --registry HOST/NAMESPACE need each other.")
    if not options.directory.is_dir():
        raise UsageError(f"{options.directory} is not a directory.", "no_directory")
    manifests = read_directories([options.directory], skip=options.out)
    license = verified_license(options)
    plan = (_airgapped if options.airgap else _online)(options, manifests, license)
    layout = plan_layout(
        options.directory,
        manifests,
        options.out,
        midstream=plan.midstream,
        secret=plan.secret,
        license=options.license,
        force=options.force,
    )
    written = [str(path) for path in layout.write()]
    return _report(manifests, plan, layout, written)


def _online(
    options: argparse.Namespace, manifests: Manifests, license: License
) -> _Plan:
    connection = connect(options, license)
    progress = Progress("Looked up", always=options.progress)
    images = connection.plan_images(manifests.places(), progress)
    kustomizations = vendor_kustomizations(manifests)
    secret_name = pull_secret_name(license.application)
    additional = additional_namespaces([file.path for file in manifests.files])
    needed = namespaces_of_pods(images, kustomizations)
    namespaces = namespaces_for(options.namespace, additional, secret_name)
    namespaces = namespaces.with_unnamed(needed)
    secrets = pull_secrets(license.license_id, connection.hosts, namespaces.names)
    return _Plan(
        images,
        midstream_text(images, secret_name),
        secrets_yaml(secrets),
        notes=connection.notes,
        problems=[
            *namespaces.problems,
            *conflicting_secrets(manifests, secret_name),
            *namespaces.missing(needed),
            *vendor_renamings(kustomizations),
        ],
    )


def _airgapped(
    options: argparse.Namespace, manifests: Manifests, license: License
) -> _Plan:
    """Plan without any request: the customer put all images on one registry."""
    hosts = known_hosts(options, license)
    images = plan_own_registry(manifests.places(), options.registry, hosts)
    return _Plan(
        images,
        midstream_text(images),
        secret="",
        notes=[_LOGIN_IS_YOURS],
        problems=vendor_renamings(vendor_kustomizations(manifests)),
    )


def _report(
    manifests: Manifests, plan: _Plan, layout: Layout, written: Sequence[str]
) -> Report:
    problems = [
        *unnamed_objects(manifests),
        *layout.problems,
        *objects_beside_licenses(manifests, layout.left_out),
    ]
    is_failed = any(image.fate in FAILED for image in plan.images)
    is_incomplete = plan.problems or problems or is_failed or manifests.problems
    return Report(
        text=_text(plan.images, manifests, written),
        document={
            "images": [_entry(image) for image in plan.images],
            "problems": [problem_entry(file) for file in manifests.problems],
            "written": written,
        },
        notes=[
            *plan.notes,
            *plan.problems,
            *map(_LEFT_OUT.format, layout.left_out),
            *problems,
            *([_VENDOR_LIST] if top_kustomizations(manifests) else []),
        ],
        exit_code=ExitCode.INCOMPLETE if is_incomplete else ExitCode.DONE,
    )


def _entry(image: PlannedImage) -> dict[str, Any]:
    return {
        "image": image.image,
        "result": image.fate.value,
        "status": image.status.value if image.status else None,
        "new_image": image.new_image or None,
        "detail": image.sentence,
        "places": [place_entry(place) for place in image.places],
    }


def _text(
    images: list[PlannedImage], manifests: Manifests, written: Sequence[str]
) -> str:
    lines = []
    for image in images:
        arrow = f" -> {image.new_image}" if image.new_image else ""
        lines.append(f"{image.fate.value.replace('_', ' ')}: {image.image}{arrow}")
        if image.fate in FAILED:
            lines.append(f"    {image.sentence}")
            lines += [f"    at {place}" for place in image.places]
    lines += problem_lines(manifests)
    counts = Counter(image.fate for image in images)
    renamed = sum(bool(image.new_image) for image in images)
    failed = sum(counts[fate] for fate in FAILED)
    total = "1 image" if len(images) == 1 else f"{len(images)} images"
    lines.append(f"{total}: {renamed} renamed, {failed} with a problem.")
    lines += [f"Wrote {path}" for path in written]
    return "\n".join(lines)
