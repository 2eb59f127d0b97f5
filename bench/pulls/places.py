"""Everything that serves the images of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness.nginx import caching, serving_files
from bench.harness.servers import Server, Servers
from bench.pulls.front import running_front
from bench.pulls.images import REPOSITORY, TAG, Images
from bench.pulls.registries import Registries
from bench.revisions.pair import Age, Revisions, largest


@dataclass(frozen=True, slots=True)
class Berth:
    """Berth's own servers.

    ``front`` is nginx with ``edge`` behind it, which has a disk cache. ``plain`` and
    ``before`` are edges without one, of the current code and of the commit before.
    """

    edge: Server
    front: Server
    plain: Server
    before: Server


@dataclass(frozen=True, slots=True)
class Places:
    """All servers: registries, nginx without Berth, and Berth's own."""

    registries: Registries
    bare_nginx: Server
    caching_nginx: Server
    berth: Berth


@contextmanager
def running_places(
    servers: Servers, registries: Registries, revisions: Revisions, images: Images
) -> Iterator[Places]:
    """Run everything besides the registries, on the largest databases.

    Raises:
        LocalStackError: a server did not start.
    """
    directory = servers.directory
    files = directory / "files"
    _write_files(directory / "images", files, images)
    with (
        serving_files(directory / "nginx-files", files) as bare,
        caching(directory / "nginx-cache", registries.upstream.host) as caching_nginx,
        _running_berth(directory, revisions) as berth,
    ):
        yield Places(registries, bare, caching_nginx, berth)


@contextmanager
def _running_berth(directory: Path, revisions: Revisions) -> Iterator[Berth]:
    now, before = (largest(revisions, age) for age in Age)
    environment = now.database.environment
    with running_front(environment, directory / "front") as (edge, front):
        yield Berth(edge, front, now.code.start_edge(), before.code.start_edge())


def _write_files(storage: Path, files: Path, images: Images) -> None:
    """Lay out the upstream's content by the paths of its addresses."""
    names = {
        f"manifests/{TAG}": images.manifest,
        f"manifests/{images.manifest}": images.manifest,
        f"blobs/{images.small_blob}": images.small_blob,
        f"blobs/{images.large_blob}": images.large_blob,
    }
    blobs = storage / "docker" / "registry" / "v2" / "blobs" / "sha256"
    for name, digest in names.items():
        encoded = digest.removeprefix("sha256:")
        file = files / "v2" / REPOSITORY / name
        file.parent.mkdir(parents=True, exist_ok=True)
        os.link(blobs / encoded[:2] / encoded / "data", file)
