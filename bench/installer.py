"""``python -m bench installer``: look-ups, a bundle and a patch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from bench.harness.errors import BenchError
from bench.harness.report import Report, table
from bench.harness.rounds import say, timed
from bench.harness.servers import Servers
from deploy.local import images
from deploy.local.demo_settings import PROJECT
from deploy.local.process import free_port
from deploy.local.registry import start_registry

# Runs a command, then prints its peak memory in KiB.
_RUN = """
import sys
from installer.cli import main

code = main(sys.argv[1:])
lines = open("/proc/self/status").read().splitlines()
print(*(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""
_LICENSE = """
apiVersion: kots.io/v1beta2
kind: License
spec:
  licenseID: bench
  appSlug: my-app
  replicatedProxyDomain: proxy.example.com
"""


@dataclass(frozen=True, slots=True)
class Size:
    images: int
    manifests: int
    blob_mib: int


FULL = Size(images=500, manifests=5_000, blob_mib=2_048)
QUICK = Size(images=100, manifests=500, blob_mib=128)


@dataclass(frozen=True, slots=True)
class _Work:
    """A command's title in the report, and the amount and unit of its work."""

    title: str
    amount: int
    unit: str = ""

    def run(self, *arguments: str | Path) -> tuple[str, ...]:
        """Run the command; return its row with the time, Python's start included."""
        command = [sys.executable, "-c", _RUN, *map(str, arguments)]
        run = partial(subprocess.run, cwd=PROJECT, capture_output=True, text=True)
        outcome, ms = timed(partial(run, command))
        if outcome.returncode:
            raise BenchError(f"The installer failed: {outcome.stderr[-500:]}")
        pace = f"{self.amount / ms * 1000:,.0f}{self.unit}/s"
        peak = int(outcome.stderr.split()[-2]) // 1024
        return (self.title, f"{ms / 1000:.1f} s", pace, f"{peak} MiB")


def measure_installer(servers: Servers, *, quick: bool) -> Report:
    """Measure the installer's commands.

    Raises:
        BenchError: a command failed.
        LocalStackError: the registry did not start.
    """
    size = QUICK if quick else FULL
    directory = servers.directory
    (directory / "license.yaml").write_text(_LICENSE)
    port = free_port()
    host = f"localhost:{port}"
    with start_registry(directory / "registry", port):
        say("Look-ups …")
        rows = [_look_ups(directory, host, size.images)]
        say("Bundle …")
        rows.append(_bundle(directory, host, size.blob_mib))
    say("Patch …")
    rows.append(_patch(directory, size.manifests))
    return Report({"Commands": table(("", "Time", "Pace", "Peak memory"), rows)})


def _look_ups(directory: Path, host: str, count: int) -> tuple[str, ...]:
    layer = images.tar_layer({"file": b"bench"})
    tags = [f"v{number}" for number in range(count)]
    for tag in tags:
        images.push_image(f"http://{host}", "my-org/api", tag, layers=[layer])
    names = [f"{host}/my-org/api:{tag}" for tag in tags]
    vendor = _write_pods(directory / "look-ups", [names])
    title = f"Look-ups of {count:,} images of one registry, in one folder"
    return _Work(title, count).run("images", vendor, "--plain-http", host)


def _bundle(directory: Path, host: str, mib: int) -> tuple[str, ...]:
    url = f"http://{host}"
    blob = images.push_blob_stream(url, "my-org/large", mib * 2**20)
    images.push_artifact(
        url, "my-org/large", "v1", artifact_type="application/x", blobs=[blob]
    )
    vendor = _write_pods(directory / "bundle", [[f"{host}/my-org/large:v1"]])
    return _Work(f"A bundle of {mib:,} MiB", mib, " MiB").run(
        *("airgap", vendor, "--license", directory / "license.yaml"),
        *("--bundle", directory / "bundle.oci", "--plain-http", host),
    )


def _patch(directory: Path, count: int) -> tuple[str, ...]:
    names = [[f"quay.io/my-org/api{number}:v1"] for number in range(count)]
    vendor = _write_pods(directory / "patch", names)
    title = f"A patch of {count:,} manifests, each with an image of its own"
    return _Work(title, count).run(
        *("patch", vendor, "--license", directory / "license.yaml"),
        *("--out", directory / "out", "--airgap", "--registry", "own.example/apps"),
    )


def _write_pods(directory: Path, pods: Sequence[Sequence[str]]) -> Path:
    """Write one manifest for each list of images."""
    directory.mkdir()
    for number, names in enumerate(pods):
        containers = [
            {"name": f"c{place}", "image": name} for place, name in enumerate(names)
        ]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod{number}"},
            "spec": {"containers": containers},
        }
        (directory / f"pod{number}.yaml").write_text(yaml.safe_dump(pod))
    return directory
