"""What must hold of the image before it runs: ``make image-test``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_BYTES = 200_000_000
LABELS = {
    "title",
    "description",
    "licenses",
    "version",
    "revision",
    "created",
    "base.name",
}
PROGRAMS = {"berth", "celery", "granian", "python", "python3", "uvicorn"}
SHELLS = {"sh", "bash", "dash", "busybox", "apt-get", "dpkg", "pip", "pip3", "su"}


def problems_of(image: str) -> Iterator[str]:
    """Yield what is wrong with an image, as sentences."""
    (described,) = json.loads(podman("image", "inspect", image))
    yield from _problems_of_configuration(described)
    mounted = Path(podman("image", "mount", image).strip())
    try:
        yield from _problems_of_files(mounted)
    finally:
        podman("image", "unmount", image)


def image_id(image: str) -> str:
    """Return the digest of the image's configuration, which names all its layers."""
    return podman("image", "inspect", "--format", "{{.Id}}", image).strip()


def podman(*arguments: str) -> str:
    """Run podman, and return what it prints.

    Raises:
        subprocess.CalledProcessError: it failed; its errors were printed.
    """
    command = ["podman", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _problems_of_configuration(described: dict[str, Any]) -> Iterator[str]:
    config = described["Config"]
    labels = {name: value for name, value in config["Labels"].items() if value}
    if missing := {f"org.opencontainers.image.{name}" for name in LABELS} - set(labels):
        yield f"Labels are missing or empty: {', '.join(sorted(missing))}"
    if config["User"] != "10001:10001":
        yield f"It runs as {config['User']!r}."
    if described["Size"] > MOST_BYTES:
        yield f"It has {described['Size']:,} bytes, and may have {MOST_BYTES:,}."
    for variable in config["Env"]:
        if "SECRET" in variable or "PASSWORD" in variable:
            yield f"Its environment has {variable.partition('=')[0]}."


def _problems_of_files(root: Path) -> Iterator[str]:
    for directory, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(directory, name)
            inside = f"/{path.relative_to(root)}"
            mode = path.lstat().st_mode
            if path.is_file() and mode & 0o6000:
                yield f"{inside} is setuid or setgid."
            if mode & 0o002 and not path.is_symlink() and inside != "/tmp":  # noqa: S108
                yield f"Everybody may write to {inside}."
            if name in SHELLS and not path.is_dir():
                yield f"{inside} is in the image."
            if path.is_file() and name.endswith((".key", ".env")):
                yield f"{inside} may be a secret."
    programs = {path.name for path in (root / "opt/berth/bin").iterdir()}
    if programs != PROGRAMS:
        yield f"Its programs are {', '.join(sorted(programs))}."
