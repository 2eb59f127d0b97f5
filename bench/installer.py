"""``python -m bench.installer``: the installer's look-ups, patches and bundles."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.local import images
from deploy.local.demo_settings import PROJECT
from deploy.local.process import free_port
from deploy.local.registry import start_registry

MIB = 2**20
# The command, and then the peak of its memory in KiB.
_RUN = """
import sys
from installer.cli import main

code = main(sys.argv[1:])
lines = open("/proc/self/status").read().splitlines()
print(*(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""
_LICENSE = {
    "apiVersion": "kots.io/v1beta2",
    "kind": "License",
    "spec": {
        "licenseID": "bench",
        "appSlug": "my-app",
        "replicatedProxyDomain": "proxy.example.com",
    },
}


@dataclass(frozen=True, slots=True)
class Size:
    images: int
    manifests: int
    blob_mib: int


FULL = Size(images=1_000, manifests=5_000, blob_mib=2_048)
QUICK = Size(images=100, manifests=500, blob_mib=128)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.installer")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    size = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "license.yaml").write_text(yaml.safe_dump(_LICENSE))
        with _registry(directory) as host:
            print(_look_ups(directory, host, size.images))
            print(_bundle(directory, host, size.blob_mib))
        print(_patch(directory, size.manifests))
    return 0


@contextmanager
def _registry(directory: Path) -> Iterator[str]:
    port = free_port()
    with start_registry(directory / "registry", port):
        yield f"localhost:{port}"


def _look_ups(directory: Path, host: str, number: int) -> str:
    layer = images.tar_layer({"file": b"bench"})
    for each in range(number):
        images.push_image(f"http://{host}", "my-org/api", f"v{each}", layers=[layer])
    names = [f"{host}/my-org/api:v{each}" for each in range(number)]
    vendor = _vendor(directory / "look-ups", [names])
    seconds, peak = _timed("images", vendor, "--plain-http", host)
    return (
        f"Look-ups of {number:,} images of one registry: {seconds:.1f} s, "
        f"{number / seconds:,.0f}/s, {peak} MiB at most."
    )


def _bundle(directory: Path, host: str, mib: int) -> str:
    url = f"http://{host}"
    blob = images.push_blob_stream(url, "my-org/large", mib * MIB)
    images.push_artifact(
        url, "my-org/large", "v1", artifact_type="application/x", blobs=[blob]
    )
    vendor = _vendor(directory / "bundle", [[f"{host}/my-org/large:v1"]])
    seconds, peak = _timed(
        *("airgap", vendor, "--license", directory / "license.yaml"),
        *("--bundle", directory / "bundle.oci", "--plain-http", host),
    )
    return (
        f"A bundle of {mib:,} MiB: {seconds:.1f} s, {mib / seconds:,.0f} MiB/s, "
        f"{peak} MiB at most."
    )


def _patch(directory: Path, number: int) -> str:
    names = [[f"quay.io/my-org/api{each}:v1"] for each in range(number)]
    vendor = _vendor(directory / "patch", names)
    seconds, peak = _timed(
        *("patch", vendor, "--license", directory / "license.yaml"),
        *("--output", directory / "out", "--airgap", "--registry", "own.example/apps"),
    )
    return (
        f"A patch of {number:,} manifests, each with an image of its own: "
        f"{seconds:.1f} s, {peak} MiB at most."
    )


def _vendor(directory: Path, pods: list[list[str]]) -> Path:
    """Write one manifest for each list of images."""
    directory.mkdir()
    for number, names in enumerate(pods):
        containers = [
            {"name": f"c{at}", "image": each} for at, each in enumerate(names)
        ]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod{number}"},
            "spec": {"containers": containers},
        }
        (directory / f"pod{number}.yaml").write_text(yaml.safe_dump(pod))
    return directory


def _timed(*arguments: str | Path) -> tuple[float, int]:
    """Run a command; return its seconds, start included, and its peak in MiB."""
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", _RUN, *map(str, arguments)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.monotonic() - started, int(ran.stderr.split()[-2]) // 1024


if __name__ == "__main__":
    sys.exit(main())
