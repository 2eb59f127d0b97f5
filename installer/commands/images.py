"""``images``: which images the manifests name, and which of them are private."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from installer.commands.options import (
    add_format,
    add_hosts,
    add_license,
    add_network,
    web_of,
)
from installer.errors import ExitCode
from installer.license.file import read_license
from installer.lookup.look_up import look_up
from installer.lookup.verdicts import KNOWN, PRIVATE, Status, Verdict
from installer.manifests.directory import (
    ManifestFile,
    Manifests,
    Place,
    read_directories,
)
from installer.net.registry import Registry
from installer.plan.images import Fate, Hosts, own_images
from installer.report import Progress, Report, watched

_OURS = {
    Fate.ALREADY_PROXIED: "It is pulled through the proxy, with the license.",
    Fate.PRIVATE_REGISTRY: "It is on the private registry: pulled with the license.",
    Fate.OTHER_APPLICATION: "It leads to another application than the license's.",
}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "images", help="tell which images are private", allow_abbrev=False
    )
    parser.add_argument("directories", type=Path, nargs="+", metavar="DIR")
    add_license(parser, required=False)
    add_hosts(parser)
    add_network(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Report:
    """Find all images, and look up each that does not lead to Berth already."""
    manifests = read_directories(options.directories)
    places = manifests.places()
    ours = own_images(places, _hosts(options))
    verdicts = look_up(
        [image for image in places if image not in ours],
        Registry(web_of(options)),
        progress=Progress("Looked up", shown=watched(wanted=options.progress)),
    )
    found = {
        image: _entry(image, named, ours, verdicts) for image, named in places.items()
    }
    incomplete = manifests.problems or any(
        each.status not in KNOWN for each in verdicts.values()
    )
    return Report(
        text=_text(list(found.values()), manifests),
        document={
            "images": list(found.values()),
            "problems": [problem_entry(each) for each in manifests.problems],
        },
        exit_code=ExitCode.INCOMPLETE if incomplete else ExitCode.DONE,
    )


def _hosts(options: argparse.Namespace) -> Hosts:
    license = read_license(options.license) if options.license else None
    proxies = [*options.proxy, license.proxy_host if license else ""]
    registries = [*options.private_registry, license.registry_host if license else ""]
    return Hosts(
        application=license.application if license else "",
        proxies=tuple(filter(None, proxies)),
        registries=tuple(filter(None, registries)),
    )


def _entry(
    image: str,
    places: list[Place],
    ours: dict[str, Fate],
    verdicts: dict[str, Verdict],
) -> dict[str, Any]:
    fate = ours.get(image)
    status = fate.value if fate else verdicts[image].status.value
    sentence = _OURS[fate] if fate else verdicts[image].sentence
    return {
        "image": image,
        "status": status,
        "detail": sentence,
        "places": [place_entry(each) for each in places],
    }


def place_entry(place: Place) -> dict[str, Any]:
    """Return where an image is named, for scripts."""
    found = place.pod_image
    return {
        "file": place.file,
        "line": found.line,
        "kind": found.object.kind,
        "name": found.object.name,
        "namespace": found.object.namespace,
        "container": found.container,
        "path": found.path,
    }


def problem_entry(file: ManifestFile) -> dict[str, str]:
    """Return a file that cannot be read, for scripts."""
    return {"file": file.name, "detail": file.problem}


def problem_lines(manifests: Manifests) -> list[str]:
    """Return the files that cannot be read, for people."""
    return [f"not read: {each.name}: {each.problem}" for each in manifests.problems]


def _text(entries: list[dict[str, Any]], manifests: Manifests) -> str:
    lines = []
    for each in entries:
        lines.append(f"{each['status'].replace('_', ' ')}: {each['image']}")
        if each["status"] != Status.PUBLIC:
            lines.append(f"    {each['detail']}")
            lines += [f"    at {_where(place)}" for place in each["places"]]
    lines += problem_lines(manifests)
    counted = Counter(each["status"] for each in entries)
    private = sum(counted[status] for status in PRIVATE)
    images = "image" if len(entries) == 1 else "images"
    lines.append(
        f"{len(entries)} {images}: {counted[Status.PUBLIC]} public, {private} private, "
        f"{len(entries) - private - counted[Status.PUBLIC]} other."
    )
    return "\n".join(lines)


def _where(place: dict[str, Any]) -> str:
    container = f", container {place['container']}" if place["container"] else ""
    return f"{place['file']}:{place['line']} {place['kind']} {place['name']}{container}"
