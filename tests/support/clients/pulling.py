"""What a customer does with a license: skopeo, a real registry client."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path


def skopeo_copy(
    image: str, login: str, target: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run ``skopeo copy`` of an image into a directory, with a login or none."""
    credentials = ["--src-creds", login] if login else []
    return subprocess.run(
        [
            *("skopeo", "copy", "--src-tls-verify=false", *credentials, *options),
            f"docker://{image}",
            f"dir:{target}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def pull(image: str, license_id: str) -> str:
    """Pull an image with a license; return "" or what skopeo has to say."""
    with tempfile.TemporaryDirectory(prefix="berth-pull-") as directory:
        target = Path(directory)
        outcome = skopeo_copy(image, f"any:{license_id}", target)
        assert outcome.returncode or (target / "manifest.json").exists()
    return outcome.stderr if outcome.returncode else ""
