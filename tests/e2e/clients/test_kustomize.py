"""Kustomize itself renames the images of all kinds of manifests as is meant."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from oci.kustomize import Renaming, home_of, image_name, kustomization, proxy_image_name
from oci.pod_images import read_manifest
from oci.reference import parse_reference

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not a Debian package"
)

PROXY = "proxy.example.com"
DIGEST = "sha256:" + "0123456789abcdef" * 4
MANIFEST = f"""
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {{name: web}}
  spec:
    template:
      spec:
        initContainers:
        - {{name: a, image: redis}}
        - {{name: b, image: library/redis:7}}
        - {{name: c, image: docker.io/redis}}
        containers:
        - {{name: d, image: docker.io/library/redis:7}}
        - {{name: e, image: index.docker.io/library/redis}}
        - {{name: f, image: 'quay.io/my-org/api:v1'}}
        - {{name: g, image: 'quay.io/my-org/api:v2@{DIGEST}'}}
        - {{name: h, image: 'quay.io/my-org/api@{DIGEST}'}}
        - {{name: i, image: 'localhost:5001/my-org/api:v3'}}
        - {{name: j, image: quay-io/my-org/api}}
        - {{name: k, image: {PROXY}/proxy/my-app/quay.io/my-org/api}}
        ephemeralContainers:
        - {{name: l, image: 'quay.io/my-org/debug:v1'}}
        volumes:
        - {{name: m, image: {{reference: 'quay.io/my-org/data:v1'}}}}
- apiVersion: batch/v1
  kind: CronJob
  metadata: {{name: nightly}}
  spec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: [
    {{name: n, image: 'quay.io/my-org/api:v4'}}]}}}}}}}}}}
---
apiVersion: example.com/v1
kind: Thing
metadata: {{name: thing}}
spec: {{nodes: [{{pod: {{containers: [{{name: o, image: 'quay.io/my-org/api'}}],
  ephemeralContainers: [{{name: p, image: redis}}]}}}}]}}
"""
API = f"{PROXY}/proxy/my-app/quay.io/my-org"
REDIS = f"{PROXY}/proxy/my-app/docker.io/library/redis"
BUILT = {
    "a": REDIS,
    "b": f"{REDIS}:7",
    "c": REDIS,
    "d": f"{REDIS}:7",
    "e": REDIS,
    "f": f"{API}/api:v1",
    "g": f"{API}/api:v2@{DIGEST}",
    "h": f"{API}/api@{DIGEST}",
    "i": f"{PROXY}/proxy/my-app/sample/my-org/api:v3",
    "j": "quay-io/my-org/api",
    "k": f"{API}/api",
    "l": f"{API}/debug:v1",
    "m": f"{API}/data:v1",
    "n": f"{API}/api:v4",
    "o": f"{API}/api",
    "p": REDIS,
}


def renaming(image: str, path: str) -> Renaming:
    name = image_name(image)
    host, repository = home_of(parse_reference(name))
    upstream = "sample" if ":" in host else host
    new_name = proxy_image_name(PROXY, "my-app", upstream, repository)
    return Renaming(name, new_name, (path,))


def test_kubectl_builds_what_is_meant(tmp_path: Path) -> None:
    kept = {"quay-io/my-org/api", f"{API}/api"}
    renamings = [
        renaming(each.image, each.path)
        for each in read_manifest(MANIFEST).images
        if image_name(each.image) not in kept
    ]
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "all.yaml").write_text(MANIFEST)
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    midstream = tmp_path / "overlays" / "midstream"
    midstream.mkdir(parents=True)
    text = kustomization(renamings, kept=kept)
    (midstream / "kustomization.yaml").write_text(text)

    built = subprocess.run(
        ["kubectl", "kustomize", str(midstream)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert built.returncode == 0, built.stderr
    found = {each.container: each.image for each in read_manifest(built.stdout).images}
    assert found == BUILT
