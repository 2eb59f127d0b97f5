"""One run over the installer's commands: look-ups, a patch and a bundle."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.harness.errors import BenchError
from bench.harness.machine import MachineWatch
from bench.pulls.report import table
from bench.pulls.rounds import Say
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


FULL = Size(images=500, manifests=5_000, blob_mib=2_048)
QUICK = Size(images=100, manifests=500, blob_mib=128)


@dataclass(frozen=True, slots=True)
class _Run:
    """One command, start of Python included, and the peak of its memory in MiB."""

    title: str
    seconds: float
    pace: str
    peak: int


def run_installer(directory: Path, say: Say, *, quick: bool) -> str:
    """Measure the installer's commands; return the report.

    Raises:
        BenchError: a command failed.
        LocalStackError: the registry did not start.
    """
    size = QUICK if quick else FULL
    watch = MachineWatch.start()
    (directory / "license.yaml").write_text(yaml.safe_dump(_LICENSE))
    with _registry(directory) as host:
        say("Look-ups …")
        runs = [_look_ups(directory, host, size.images)]
        say("A bundle …")
        runs.append(_bundle(directory, host, size.blob_mib))
    say("A patch …")
    runs.append(_patch(directory, size.manifests))
    return _report(runs, watch.finish())


def _report(runs: Iterable[_Run], machine: Mapping[str, str]) -> str:
    rows = (
        (each.title, f"{each.seconds:.1f} s", each.pace, f"{each.peak} MiB")
        for each in runs
    )
    head = ("", "Time", "Pace", "Memory at most")
    sections = {
        "The installer": table(head, rows),
        "Machine of the installer": table(("", ""), machine.items()),
    }
    return "\n\n".join(f"### {title}\n\n{body}" for title, body in sections.items())


@contextmanager
def _registry(directory: Path) -> Iterator[str]:
    port = free_port()
    with start_registry(directory / "registry", port):
        yield f"localhost:{port}"


def _look_ups(directory: Path, host: str, number: int) -> _Run:
    layer = images.tar_layer({"file": b"bench"})
    for each in range(number):
        images.push_image(f"http://{host}", "my-org/api", f"v{each}", layers=[layer])
    names = [f"{host}/my-org/api:v{each}" for each in range(number)]
    vendor = _vendor(directory / "look-ups", [names])
    seconds, peak = _timed("images", vendor, "--plain-http", host)
    title = f"Look-ups of {number:,} images of one registry, in one folder"
    return _Run(title, seconds, f"{number / seconds:,.0f}/s", peak)


def _bundle(directory: Path, host: str, mib: int) -> _Run:
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
    title = f"A bundle of {mib:,} MiB"
    return _Run(title, seconds, f"{mib / seconds:,.0f} MiB/s", peak)


def _patch(directory: Path, number: int) -> _Run:
    names = [[f"quay.io/my-org/api{each}:v1"] for each in range(number)]
    vendor = _vendor(directory / "patch", names)
    seconds, peak = _timed(
        *("patch", vendor, "--license", directory / "license.yaml"),
        *("--out", directory / "out", "--airgap", "--registry", "own.example/apps"),
    )
    title = f"A patch of {number:,} manifests, each with an image of its own"
    return _Run(title, seconds, f"{number / seconds:,.0f}/s", peak)


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
        check=False,
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise BenchError(f"The installer failed: {ran.stderr[-500:]}")
    return time.monotonic() - started, int(ran.stderr.split()[-2]) // 1024
