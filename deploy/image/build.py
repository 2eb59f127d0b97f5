"""``make image``: builds the images of Berth and of its nginx.

The same commit, base image and packages give the same image of Berth, whenever and
wherever it is built.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
CONTAINERFILES = {
    "berth": "Containerfile",
    "berth-nginx": "deploy/image/nginx.Containerfile",
}
# What both Containerfiles need of a base image that is made here.
DEBIAN_PACKAGES = "python3,python3-venv,binutils,ca-certificates"
# Of everything in an image: a layer from the cache has the same times as a new one. The
# first day that zip files know.
TIMESTAMP = "315532800"
DEBIAN_BASE = "localhost/berth-base:bookworm"
SECRET = "/run/secrets/authorities"  # noqa: S105 -- a path


class BuildError(Exception):
    """What is missing on this machine, and how to get it."""


def main() -> int:
    try:
        build_images(options())
    except (BuildError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def build_images(options: argparse.Namespace) -> None:
    """Build the images that were asked for, and print their IDs.

    Raises:
        BuildError: a program is missing.
        subprocess.CalledProcessError: a build failed; its output says why.
    """
    builder = options.builder or _installed("buildah", "podman", "docker")
    base = options.base
    if base == "debian":
        base = DEBIAN_BASE
        if not _is_there(builder, base):
            make_debian_base(builder)
    for name in options.images or CONTAINERFILES:
        command = build_command(builder, name, options)
        if base and (name == "berth" or base == DEBIAN_BASE):
            command += ["--build-arg", f"BASE={base}"]
        _run([*command, str(PROJECT)])


def build_command(builder: str, name: str, options: argparse.Namespace) -> list[str]:
    """Return the command that builds an image, without its base and context."""
    version, revision, created = _version(), *_commit()
    command = [builder, "build", "--file", str(PROJECT / CONTAINERFILES[name])]
    command += ["--tag", f"{options.repository}/{name}:{options.tag}"]
    command += ["--build-arg", f"VERSION={version}"]
    command += ["--build-arg", f"REVISION={revision}"]
    command += ["--build-arg", f"CREATED={created}"]
    if builder == "docker":
        command += ["--build-arg", f"SOURCE_DATE_EPOCH={TIMESTAMP}"]
        command += ["--output", "type=docker,rewrite-timestamp=true"]
    else:
        command += ["--layers", "--timestamp", TIMESTAMP, "--identity-label=false"]
    if options.again:
        command.append("--no-cache")
    if options.authorities:
        command += ["--secret", f"id=authorities,src={options.authorities}"]
        command += ["--build-arg", f"PIP_CERT={SECRET}"]
        command += ["--build-arg", f"NPM_CONFIG_CAFILE={SECRET}"]
    return command


def make_debian_base(builder: str) -> None:
    """Make a base image from Debian's packages, where no registry can be reached.

    Raises:
        BuildError: mmdebstrap is missing.
        subprocess.CalledProcessError: Debian's packages cannot be fetched.
    """
    with tempfile.TemporaryDirectory() as directory:
        context = Path(directory)
        _run(
            [
                *(_installed("mmdebstrap"), "--variant=minbase", "--quiet"),
                f"--include={DEBIAN_PACKAGES}",
                '--aptopt=Acquire::Languages "none"',
                *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD),
                *("bookworm", str(context / "base.tar")),
            ]
        )
        file = context / "Containerfile"
        file.write_text("FROM scratch\nADD base.tar /\n", encoding="ascii")
        _run([builder, "build", "--tag", DEBIAN_BASE, str(context)])


_UNREAD = ("doc", "info", "locale", "man")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("images", nargs="*", help="berth, berth-nginx; default: both")
    parser.add_argument("--builder", help="buildah, podman or docker")
    parser.add_argument("--base", help="base image; debian makes one from packages")
    parser.add_argument("--repository", default="localhost", help="before the name")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--authorities", help="file of certificates to trust as well")
    parser.add_argument("--again", action="store_true", help="use no cached layers")
    return parser.parse_args()


def _installed(*programs: str) -> str:
    for program in programs:
        if shutil.which(program):
            return program
    raise BuildError(
        f"This takes {' or '.join(programs)}. On Debian and Ubuntu: sudo apt-get "
        f"install {programs[0]}"
    )


def _is_there(builder: str, image: str) -> bool:
    command = [builder, "inspect", "--type", "image", image]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


def _version() -> str:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    return text.partition('\nversion = "')[2].partition('"')[0]


def _commit() -> tuple[str, str]:
    """Return the commit, and when it was made."""
    command = ["git", "log", "-1", "--format=%H %cI"]
    printed = subprocess.run(
        command, cwd=PROJECT, check=True, capture_output=True, text=True
    )
    revision, created = printed.stdout.split()
    return revision, created


if __name__ == "__main__":
    sys.exit(main())
