"""Kubernetes' own programs, built from Go modules once and kept.

``k8s.io/kubernetes`` requires the modules of its repository at v0.0.0, which do not
exist: each is replaced by the version that was published with the release.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local.process import LocalStackError

VERSION = "1.37.2"
PROGRAMS = (
    *("kube-apiserver", "kube-controller-manager", "kube-proxy"),
    *("kubelet", "kubectl"),
)
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
_MODULE = f"k8s.io/kubernetes@v{VERSION}"
_PUBLISHED = f"v0.{VERSION.removeprefix('1.')}"
_STAGED = re.compile(r"^\t(k8s\.io/[a-z-]+) => \./staging", re.MULTILINE)
_PAUSE = """\
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
"""


def programs() -> Path:
    """Return the directory of the programs; build those that are missing.

    Raises:
        LocalStackError: there is no Go, or a build fails.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(cache) / "berth" / "kubernetes" / VERSION
    directory.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PROGRAMS if not (directory / name).exists()]
    is_pause_missing = not (directory / "pause").exists()
    is_helm_missing = not (directory / "helm").exists()
    if not missing and not is_pause_missing and not is_helm_missing:
        return directory
    if shutil.which("go") is None:
        raise LocalStackError("Kubernetes is built from Go modules. Install Go 1.26.")
    with tempfile.TemporaryDirectory(prefix="berth-kubernetes-") as name:
        source = Path(name)
        if is_pause_missing:
            (source / "pause.go").write_text(_PAUSE)
            _build(source, "pause.go", directory / "pause")
        if is_helm_missing:
            _say("Building Helm, once …")
            _go(source, "install", HELM, GOBIN=str(directory))
        if missing:
            _write_module(source)
        for program in missing:
            _say(f"Building {program} {VERSION}, once: minutes on an idle machine …")
            _build(source, f"k8s.io/kubernetes/cmd/{program}", directory / program)
    return directory


def _write_module(source: Path) -> None:
    downloaded = json.loads(_go(source, "mod", "download", "-json", _MODULE))
    required = (Path(downloaded["Dir"]) / "go.mod").read_text()
    replaced = "".join(
        f"\t{module} => {module} {_PUBLISHED}\n" for module in _STAGED.findall(required)
    )
    (source / "go.mod").write_text(
        "module example.org/kubernetes\n\ngo 1.26.0\n\ngodebug default=go1.26\n\n"
        f"require {_MODULE.replace('@', ' ')}\n\nreplace (\n{replaced})\n"
    )
    imports = "".join(f'\t_ "k8s.io/kubernetes/cmd/{name}"\n' for name in PROGRAMS)
    (source / "tools.go").write_text(
        f"//go:build tools\n\npackage tools\n\nimport (\n{imports})\n"
    )
    _go(source, "mod", "tidy")


def _build(source: Path, package: str, program: Path) -> None:
    version = "k8s.io/component-base/version"
    minor = VERSION.split(".")[1]
    names = {"gitVersion": f"v{VERSION}", "gitMajor": "1", "gitMinor": minor}
    flags = " ".join(f"-X {version}.{name}={text}" for name, text in names.items())
    # A build that is interrupted leaves no program behind.
    unfinished = program.with_suffix(".unfinished")
    _go(
        source,
        *("build", "-trimpath", "-ldflags", f"-s -w {flags}"),
        *("-o", str(unfinished), package),
    )
    unfinished.rename(program)


def _go(source: Path, *arguments: str, **environment: str) -> str:
    ran = subprocess.run(
        ["nice", "go", *arguments],
        cwd=source,
        env=os.environ | {"CGO_ENABLED": "0"} | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if ran.returncode != 0:
        raise LocalStackError(f"go {arguments[0]} failed.\n{ran.stderr[-2000:]}")
    return ran.stdout


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    programs()
