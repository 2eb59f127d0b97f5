"""``patch --airgap`` renames every image to the customer's registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.installer.command import Installer, Outcome, tree
from tests.support.installer.licenses import document, write_license
from tests.support.installer.pods import pod


class Flatten:
    def __init__(self, installer: Installer, directory: Path) -> None:
        self._installer = installer
        self.directory = directory
        self.out = directory / "out"

    def __call__(
        self, *images: str, registry: str = "registry.corp:5000/apps"
    ) -> Outcome:
        vendor = self.directory / "vendor"
        vendor.mkdir(exist_ok=True)
        (vendor / "pod.yaml").write_text(pod("web", *images))
        return self._installer(
            *("patch", vendor, "--license", self.directory / "license.yaml"),
            *("--out", self.out, "--airgap", "--registry", registry),
            *("--private-registry", "registry.example.com", "--format", "json"),
        )

    def midstream(self) -> Any:
        path = self.out / "overlays" / "midstream" / "kustomization.yaml"
        return yaml.safe_load(path.read_text())


@pytest.fixture
def flatten(installer: Installer, tmp_path: Path) -> Flatten:
    write_license(tmp_path, document())
    return Flatten(installer, tmp_path)


@pytest.mark.parametrize(
    ("image", "becomes"),
    [
        ("redis", "redis"),
        ("redis:7", "redis:7"),
        ("docker.io/library/redis:7", "redis:7"),
        ("quay.io/my-org/api:v1.0.1", "api:v1.0.1"),
        ("registry.example.com/my-app/worker:1.0.1", "worker:1.0.1"),
        ("proxy.example.com/proxy/my-app/quay.io/my-org/api:v1", "api:v1"),
        ("localhost:5001/my-org/api:v3", "api:v3"),
    ],
)
def test_every_image_is_renamed_to_the_own_registry(
    flatten: Flatten, image: str, becomes: str
) -> None:
    outcome = flatten(image)

    assert outcome.code == 0
    (entry,) = outcome.document["images"]
    assert entry["result"] == "own_registry"
    assert entry["new_image"] == f"registry.corp:5000/apps/{becomes}"
    midstream = flatten.midstream()
    assert midstream["images"][0]["newName"] == (
        "registry.corp:5000/apps/" + becomes.partition(":")[0]
    )
    assert midstream["resources"] == ["../../base"]
    assert "overlays/midstream/secret.yaml" not in tree(flatten.out)


def test_the_namespace_is_optional(flatten: Flatten) -> None:
    outcome = flatten("quay.io/my-org/api:v1", registry="registry.corp")

    assert outcome.document["images"][0]["new_image"] == "registry.corp/api:v1"


def test_spellings_of_one_image_do_not_collide(flatten: Flatten) -> None:
    outcome = flatten(
        "redis:7",
        "docker.io/redis:7",
        "proxy.example.com/proxy/my-app/docker.io/library/redis:7",
        "proxy.example.com/proxy/my-app/redis:7",
    )

    assert outcome.code == 0
    assert {item["new_image"] for item in outcome.document["images"]} == {
        "registry.corp:5000/apps/redis:7"
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("quay.io/my-org/api:v1", "ghcr.io/my-org/api:v1"),
        ("redis", "bitnami/redis:latest"),
        ("registry.example.com/my-app/api:v1", "quay.io/my-org/api:v1"),
    ],
)
def test_two_images_that_would_become_one_are_both_named(
    flatten: Flatten, one: str, other: str
) -> None:
    outcome = flatten(one, other)

    assert outcome.code == 1
    error = outcome.document["error"]
    assert error["code"] == "collision"
    assert one in error["message"]
    assert other in error["message"]
    assert not flatten.out.exists()


def test_images_of_one_name_with_other_tags_do_not_collide(flatten: Flatten) -> None:
    assert flatten("redis:6", "bitnami/redis:7").code == 0


def test_a_digest_is_refused_with_the_tag_to_use(flatten: Flatten) -> None:
    outcome = flatten("quay.io/my-org/api:v1@sha256:" + "0" * 64)

    assert outcome.code == 1
    error = outcome.document["error"]
    assert error["code"] == "digest"
    assert "use quay.io/my-org/api:v1 instead" in error["message"]
    assert not flatten.out.exists()


def test_a_template_is_reported_and_kept(flatten: Flatten) -> None:
    outcome = flatten("redis", "{{ .Values.image }}")

    assert outcome.code == 3
    assert [item["result"] for item in outcome.document["images"]] == [
        "own_registry",
        "unknown",
    ] or outcome.document["images"][0]["image"] == "redis"


@pytest.mark.parametrize("registry", ["apps", "Registry.corp/UPPER", "a.b/", "a b/c"])
def test_an_invalid_registry_is_a_usage_error(flatten: Flatten, registry: str) -> None:
    expected = 0 if registry == "a.b/" else 2

    assert flatten("redis", registry=registry).code == expected


def test_airgap_and_registry_need_each_other(
    installer: Installer, tmp_path: Path
) -> None:
    license = write_license(tmp_path, document())
    common = ("patch", tmp_path, "--license", license, "--out", tmp_path / "out")

    assert installer(*common, "--airgap").code == 2
    assert installer(*common, "--registry", "a.b/c").code == 2
