"""Kustomize itself builds what spellings.yaml expects."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.manifests.directory import read_directories
from installer.output.layout import plan_layout
from installer.output.midstream import midstream_text
from installer.plan.pull_secrets import pull_secrets, secrets_yaml
from oci.kustomize import Renaming, kustomization
from oci.pod_images import read_manifest
from tests.support.installer.licenses import LICENSE_ID, document, write_license
from tests.support.installer.pods import pod
from tests.support.installer.spellings import HOSTS, plan, shapes, spellings

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not a Debian package"
)


def build(vendor: Path, out: Path) -> str:
    """Write the layout for a vendor's manifests, and return what Kustomize makes."""
    manifests = read_directories([vendor])
    layout = plan_layout(
        vendor,
        manifests,
        out,
        midstream=midstream_text(plan(manifests), "my-app-registry"),
        secret=secrets_yaml(pull_secrets(LICENSE_ID, HOSTS, ("", "prod"))),
        license=write_license(out.parent, document()),
        force=False,
    )
    layout.write()
    built = subprocess.run(
        ["kubectl", "kustomize", str(out / "overlays" / "midstream")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (built.returncode, built.stderr) == (0, "")
    return built.stdout


def test_every_spelling_becomes_what_the_list_says(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    images = [spelling.image for spelling in spellings()]
    (vendor / "pod.yaml").write_text(pod("all", *images))

    built = read_manifest(build(vendor, tmp_path / "out"))

    by_container = {item.container: item.image for item in built.images}
    expected = {f"c{number}": item.result for number, item in enumerate(spellings())}
    assert by_container == expected


def test_every_shape_is_built_with_its_images_and_secrets(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    for number, shape in enumerate(shapes()):
        (vendor / f"{number:02}.yaml").write_text(shape.manifest)

    text = build(vendor, tmp_path / "out")

    documents = list(yaml.safe_load_all(text))
    images = read_manifest(text).images
    for shape in shapes():
        where = (shape.kind, shape.name, shape.namespace)
        (built,) = [item for item in documents if identity(item) == where]
        secrets = {
            pointer: pull_secret_names(built, pointer) for pointer in shape.specs
        }
        named = {
            item.container: item.image
            for item in images
            if (item.object.kind, item.object.name, item.object.namespace) == where
        }
        assert (shape.shape, secrets, named) == (shape.shape, shape.specs, shape.images)


def test_the_secrets_are_built_for_each_namespace(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "pod.yaml").write_text(shapes()[0].manifest)

    documents = list(yaml.safe_load_all(build(vendor, tmp_path / "out")))

    secrets = [item["metadata"] for item in documents if item["kind"] == "Secret"]
    assert sorted(secrets, key=len) == [
        {"name": "my-app-registry"},
        {"name": "my-app-registry", "namespace": "prod"},
    ]


def test_pull_secrets_of_a_vendors_own_kustomization_stay(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "deployment.yaml").write_text(shapes()[0].manifest)
    (vendor / "kustomization.yaml").write_text(
        """
namePrefix: my-
namespace: prod
resources: [deployment.yaml]
patches:
- target: {kind: Deployment}
  patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: deployment}
    spec: {template: {spec: {imagePullSecrets: [{name: theirs}]}}}
"""
    )

    documents = list(yaml.safe_load_all(build(vendor, tmp_path / "out")))

    (built,) = [item for item in documents if item["kind"] == "Deployment"]
    assert built["metadata"] == {"name": "my-deployment", "namespace": "prod"}
    names = pull_secret_names(built, "/spec/template/spec")
    assert names == ["my-app-registry", "theirs"]


def test_a_base_in_directories_with_lists_of_their_own(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    for name in ("web", "db/deep"):
        (vendor / name).mkdir(parents=True)
        (vendor / name / "pod.yaml").write_text(
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name[:2]}}}\n"
            "spec: {containers: [{name: a, image: 'quay.io/my-org/api:v1'}]}\n"
        )
    (vendor / "db" / "kustomization.yaml").write_text("resources: [deep/pod.yaml]\n")
    (vendor / "values.yaml").write_text("replicas: 2\n")

    documents = list(yaml.safe_load_all(build(vendor, tmp_path / "out")))

    pods = {
        item["metadata"]["name"]: item["spec"]["imagePullSecrets"]
        for item in documents
        if item["kind"] == "Pod"
    }
    secrets = [{"name": "my-app-registry"}]
    assert pods == {"we": secrets, "db": secrets}


def test_a_host_in_brackets_is_renamed(tmp_path: Path) -> None:
    # Only the portal knows the slug that names a registry with a port.
    image = "[2001:db8::1]:5000/my-org/api"
    base = tmp_path / "base"
    base.mkdir()
    (base / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
        f"spec: {{containers: [{{name: a, image: '{image}:v1'}}]}}\n"
    )
    new_name = "proxy.example.com/proxy/my-app/slug/my-org/api"
    text = kustomization([Renaming(image, new_name)], resources=["pod.yaml"])
    (base / "kustomization.yaml").write_text(text)

    built = subprocess.run(
        ["kubectl", "kustomize", str(base)], check=True, capture_output=True, text=True
    )

    (renamed,) = read_manifest(built.stdout).images
    assert renamed.image == f"{new_name}:v1"


def identity(document: dict[str, Any]) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata["name"], metadata.get("namespace", "")


def pull_secret_names(document: Any, pointer: str) -> list[str]:
    for part in pointer.removeprefix("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key) if isinstance(document, list) else key]
    return sorted(item["name"] for item in document.get("imagePullSecrets") or ())
