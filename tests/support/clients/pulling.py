"""What a customer does with a license: skopeo, a real registry client."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path


def pull(image: str, license_id: str) -> str:
    """Pull an image with a license; return "" or what skopeo has to say."""
    target = Path(tempfile.mkdtemp(prefix="berth-pull-"))
    try:
        outcome = subprocess.run(
            [
                *("skopeo", "copy", "--src-tls-verify=false"),
                *("--src-creds", f"any:{license_id}"),
                f"docker://{image}",
                f"dir:{target}",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert outcome.returncode or (target / "manifest.json").exists()
    finally:
        shutil.rmtree(target)
    return outcome.stderr if outcome.returncode else ""
