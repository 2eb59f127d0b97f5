"""What ``policy --check`` asks kubectl, and what it makes of the answers.

A real API server answers it in ``tests/kubernetes``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.installer.command import Installer

# Answers as an API server with a policy: it renames what begins with quay.io, adds a
# container, and refuses Pods of the namespace "closed".
KUBECTL = f"""\
#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
pod = json.load(sys.stdin)
with (here / "asked").open("a") as file:
    print(json.dumps([sys.argv[1:], pod]), file=file)
metadata, spec = pod["metadata"], pod["spec"]
metadata.setdefault("namespace", "default")
if metadata["namespace"] == "closed":
    sys.exit('Error from server (Forbidden): pods "x" is forbidden: exceeds budget')
for name in ("containers", "initContainers"):
    for container in spec.get(name, ()):
        if container["image"].startswith("quay.io/"):
            container["image"] = "proxy.example.com/proxy/my-app/" + container["image"]
            spec["imagePullSecrets"] = [{{"name": "my-app-registry"}}]
spec["containers"].insert(0, {{"name": "sidecar", "image": "mesh"}})
print(json.dumps(pod))
"""
MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: later
      initContainers: [{name: init, image: "quay.io/my-org/init:v1"}]
      containers:
      - {name: api, image: "quay.io/my-org/api:v1"}
      - {name: db, image: redis}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {containers: x}}
- apiVersion: v1
  kind: Pod
  metadata: {name: one}
  spec: {containers: [{name: c, image: redis}]}
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a kubectl first that answers as an API server, and writes down its input."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "kubectl").write_text(KUBECTL)
    (directory / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))
    return directory / "asked"


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    path = tmp_path / "manifests.yaml"
    path.write_text(MANIFESTS)
    return path


def questions(asked: Path) -> list[tuple[list[str], Any]]:
    return [json.loads(line) for line in asked.read_text().splitlines()]


def test_before_and_after_of_each_image(
    installer: Installer, manifests: Path, asked: Path
) -> None:
    outcome = installer("policy", "--check", manifests)

    assert (outcome.code, outcome.err) == (0, "")
    new = "proxy.example.com/proxy/my-app/quay.io/my-org"
    assert outcome.out.splitlines() == [
        "Deployment web in shop",
        f"  init: quay.io/my-org/init:v1 -> {new}/init:v1",
        f"  api: quay.io/my-org/api:v1 -> {new}/api:v1",
        "  db: redis (unchanged)",
        "  pull secrets: my-app-registry",
        "Pod one in default",
        "  c: redis (unchanged)",
        "  pull secrets: none",
    ]


def test_pods_are_tried_and_not_created(
    installer: Installer, manifests: Path, asked: Path
) -> None:
    options = ("--context", "test", "--namespace", "other")
    installer("policy", "--check", manifests, *options)

    (command, web), (_, one) = questions(asked)
    assert command == [
        *("create", "--dry-run=server", "-o", "json", "-f", "-"),
        *("--context", "test"),
    ]
    assert web["metadata"]["namespace"] == "shop"
    assert web["metadata"]["labels"] == {"app": "web"}
    # The ServiceAccount may not exist yet, and would fail the Pod.
    assert sorted(web["spec"]) == ["containers", "initContainers"]
    assert one["metadata"]["namespace"] == "other"


def test_a_document_for_scripts(
    installer: Installer, manifests: Path, asked: Path
) -> None:
    outcome = installer("policy", "--check", manifests, "-o", "json")

    web, one = outcome.document["pods"]
    assert web["images"][2] == {"container": "db", "before": "redis", "after": "redis"}
    assert one == {
        "object": "Pod one",
        "namespace": "default",
        "images": [{"container": "c", "before": "redis", "after": "redis"}],
        "pull_secrets": [],
        "problem": None,
    }


def test_what_the_server_says_is_shown(
    installer: Installer, manifests: Path, asked: Path
) -> None:
    outcome = installer("policy", "--check", manifests, "--namespace", "closed")

    assert outcome.code == 3
    problem = 'Error from server (Forbidden): pods "x" is forbidden: exceeds budget'
    assert outcome.out.splitlines()[-2:] == ["Pod one in closed", f"  {problem}"]


def test_if_nothing_changes_it_says_what_to_check(
    installer: Installer, tmp_path: Path, asked: Path
) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(MANIFESTS.replace("quay.io", "ghcr.io"))

    outcome = installer("policy", "--check", path)

    assert outcome.code == 0
    assert "Check that the policy is applied, that the namespace" in outcome.err


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("a: b: c", 2, "is not YAML."),
        ("kind: Service\nspec: {containers: 3}", 3, "There is no Pod"),
        ("", 3, "There is no Pod"),
    ],
)
def test_files_without_pods_are_told(
    text: str,
    code: int,
    sentence: str,
    installer: Installer,
    tmp_path: Path,
    asked: Path,
) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(text)

    outcome = installer("policy", "--check", path)

    assert outcome.code == code
    assert sentence in outcome.out + outcome.err
    assert not asked.exists()


def test_a_missing_file_and_a_missing_kubectl_are_told(
    installer: Installer, tmp_path: Path, manifests: Path, asked: Path
) -> None:
    missing = installer("policy", "--check", tmp_path / "none.yaml")
    (asked.parent / "kubectl").unlink()
    without = installer("policy", "--check", manifests)

    assert (missing.code, without.code) == (2, 2)
    assert "none.yaml cannot be read: No such file" in missing.err
    assert "--check needs kubectl. Install it." in without.err
