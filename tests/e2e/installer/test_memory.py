"""A bundle of large blobs takes no more memory than one of small ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.local import images
from deploy.local.process import free_port
from deploy.local.registry import start_registry
from tests.e2e.conftest import PROJECT
from tests.support.installer.licenses import document, write_license
from tests.support.installer.pods import pod

MIB = 2**20
LARGE = 384 * MIB
# VmHWM is the peak of this program alone; getrusage() includes its parent's memory.
RUN = """
import sys
from installer.cli import main

code = main(sys.argv[1:])
lines = open("/proc/self/status").read().splitlines()
print(*(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


def test_memory_does_not_grow_with_blobs(tmp_path: Path) -> None:
    port = free_port()
    license = write_license(tmp_path, document())
    with start_registry(tmp_path / "registry", port):
        url = f"http://localhost:{port}"
        blob = images.push_blob_stream(url, "my-org/large", LARGE)
        images.push_artifact(
            url, "my-org/large", "v1", artifact_type="application/x", blobs=[blob]
        )
        vendor = tmp_path / "vendor"
        vendor.mkdir()
        (vendor / "pod.yaml").write_text(pod("a", f"localhost:{port}/my-org/large:v1"))
        ran = subprocess.run(
            [
                *(sys.executable, "-c", RUN, "airgap", str(vendor)),
                *("--license", str(license), "--bundle", str(tmp_path / "b.tar")),
                *("--plain-http", f"localhost:{port}", "-o", "json"),
            ],
            cwd=PROJECT,
            env={},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "b.tar").stat().st_size > LARGE
    kibibytes = int(ran.stderr.split()[-2])
    assert kibibytes < 100 * 1024
