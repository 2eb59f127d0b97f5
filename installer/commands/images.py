"""``images``: which images the manifests name, and which of them are private."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installer.commands.connect import http_client, known_hosts
from installer.commands.entries import place_entry, problem_entry, problem_lines
from installer.commands.options import add_hosts, add_license, add_network
from installer.errors import ExitCode
from installer.license.file import read_license
from installer.lookup.look_up import look_up
from installer.lookup.verdicts import KNOWN, PRIVATE, Status
from installer.manifests.directory import Manifests, Place, read_directories
from installer.net.registry import Registry
from installer.plan.images import BERTH_SENTENCES, berth_images
from installer.report import Progress, Report


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directories", type=Path, nargs="+", metavar="DIR")
    add_license(parser, required=False)
    add_hosts(parser)
    add_network(parser)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image with the status that scripts see."""

    name: str
    status: str
    sentence: str
    places: list[Place]

    def entry(self) -> dict[str, Any]:
        return {
            "image": self.name,
            "status": self.status,
            "detail": self.sentence,
            "places": [place_entry(place) for place in self.places],
        }


def run(options: argparse.Namespace) -> Report:
    """Find all images, and look up each that Berth does not serve already."""
    manifests = read_directories(options.directories)
    places = manifests.places()
    license = read_license(options.license) if options.license else None
    served = berth_images(places, known_hosts(options, license))
    verdicts = look_up(
        [image for image in places if image not in served],
        Registry(http_client(options)),
        progress=Progress("Looked up", always=options.progress),
    )
    is_complete = not manifests.problems and all(
        verdict.status in KNOWN for verdict in verdicts.values()
    )
    results = {
        **{name: (fate.value, BERTH_SENTENCES[fate]) for name, fate in served.items()},
        **{name: (item.status.value, item.sentence) for name, item in verdicts.items()},
    }
    images = [_Image(name, *results[name], named) for name, named in places.items()]
    return Report(
        text=_text(images, manifests),
        document={
            "images": [image.entry() for image in images],
            "problems": [problem_entry(file) for file in manifests.problems],
        },
        exit_code=ExitCode.DONE if is_complete else ExitCode.INCOMPLETE,
    )


def _text(images: list[_Image], manifests: Manifests) -> str:
    lines = []
    for image in images:
        lines.append(f"{image.status.replace('_', ' ')}: {image.name}")
        if image.status != Status.PUBLIC:
            lines.append(f"    {image.sentence}")
            lines += [f"    at {place}" for place in image.places]
    lines += problem_lines(manifests)
    counts = Counter(image.status for image in images)
    public, private = counts[Status.PUBLIC], sum(counts[status] for status in PRIVATE)
    total = "1 image" if len(images) == 1 else f"{len(images)} images"
    other = len(images) - public - private
    lines.append(f"{total}: {public} public, {private} private, {other} other.")
    return "\n".join(lines)
