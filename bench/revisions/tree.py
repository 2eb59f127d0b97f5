"""The files of an earlier revision."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from bench.harness.errors import BenchError
from deploy.local.demo_settings import PROJECT
from deploy.local.private_files import private_directory

# The last commit with decisions through the ORM, in threads.
BEFORE = "e1d6fb8954e36987ec39958a0f0aff9201e1b539"


def unpack_revision(revision: str, directory: Path) -> Path:
    """Write a revision's files into a new directory and return it.

    Raises:
        BenchError: the repository does not have this revision.
    """
    archive = directory / "tree.tar"
    outcome = subprocess.run(
        ["git", "-C", str(PROJECT), "archive", f"--output={archive}", revision],
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise BenchError(
            f"The files of revision {revision} are missing: {outcome.stderr.strip()}\n"
            "A clone needs its whole history for this, or --before with another one."
        )
    tree = private_directory(directory / "tree")
    with tarfile.open(archive) as files:
        files.extractall(tree, filter="data")
    archive.unlink()
    return tree
