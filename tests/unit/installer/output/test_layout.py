"""``patch`` writes the documented files, and overwrites no edits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.installer.command import tree
from tests.support.installer.patching import Patch
from tests.support.installer.pods import pod
from tests.support.installer.servers import Server


def test_two_runs_write_the_same_bytes(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    images = [f"{registry.host}/closed/api{number}:v1" for number in range(30)]
    (vendor / "b.yaml").write_text(pod("b", *images[15:]))
    (vendor / "a.yaml").write_text(pod("a", *images[:15]))

    assert patch().code == 0
    first = tree(patch.out)
    assert patch().code == 0

    assert tree(patch.out) == first


@pytest.mark.parametrize(
    "name",
    [
        "base/pod.yaml",
        "base/kustomization.yaml",
        "overlays/midstream/kustomization.yaml",
        "overlays/midstream/secret.yaml",
    ],
)
@pytest.mark.parametrize("made_by_hand", [True, False])
def test_edited_files_are_not_overwritten(
    patch: Patch, vendor: Path, registry: Server, name: str, made_by_hand: bool
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))
    path = patch.out / name
    if made_by_hand:
        path.parent.mkdir(parents=True)
        path.write_text("mine: true\n")
    else:
        assert patch().code == 0
        path.write_text(path.read_text() + "# mine\n")
    before = tree(patch.out)

    outcome = patch()

    assert outcome.code == 4
    assert str(path) in outcome.err
    assert "--force" in outcome.err
    assert tree(patch.out) == before
    assert patch("--force").code == 0
    assert b"mine" not in path.read_bytes()


def test_a_new_release_replaces_the_base_and_removes_old_files(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "old.yaml").write_text(pod("old", f"{registry.host}/open/app:v1"))
    (vendor / "both.yaml").write_text(pod("both", f"{registry.host}/open/app:v1"))
    assert patch().code == 0
    (patch.out / "base" / "mine.txt").write_text("mine")

    (vendor / "old.yaml").unlink()
    (vendor / "both.yaml").write_text(pod("both", f"{registry.host}/open/app:v2"))
    assert patch().code == 0

    base = tree(patch.out / "base")
    assert sorted(base) == ["both.yaml", "kustomization.yaml", "mine.txt"]
    assert b"app:v2" in base["both.yaml"]


def test_manifests_in_the_base_stay_there(patch: Patch, registry: Server) -> None:
    base = patch.out / "base"
    base.mkdir(parents=True)
    (base / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))

    for _ in range(2):
        outcome = patch(vendor=base)
        assert (outcome.code, outcome.err) == (0, "")

    assert sorted(tree(patch.out)) == [
        "base/kustomization.yaml",
        "base/pod.yaml",
        "overlays/midstream/kustomization.yaml",
        "overlays/midstream/secret.yaml",
    ]


def test_the_output_may_be_inside_the_vendors_directory(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))
    patch.out = vendor / "out"

    assert patch().code == 0
    assert patch().code == 0

    assert sorted(tree(patch.out / "base")) == ["kustomization.yaml", "pod.yaml"]


def test_a_vendors_own_kustomization_is_kept(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))
    own = "resources: [pod.yaml]\nnamePrefix: my-\n"
    (vendor / "kustomization.yaml").write_text(own)

    outcome = patch()

    assert (patch.out / "base" / "kustomization.yaml").read_text() == own
    assert "kubectl kustomize" in outcome.err


def test_unreadable_files_are_reported_and_the_rest_is_done(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))
    (vendor / "chart.yaml").write_text("{{- if .Values.x }}\nkind: Pod\n{{- end }}\n")
    (vendor / "out-of-here.yaml").symlink_to("/etc/hostname")

    outcome = patch("--format", "json")

    assert outcome.code == 3
    problems = {item["file"]: item["detail"] for item in outcome.document["problems"]}
    assert sorted(problems) == ["chart.yaml", "out-of-here.yaml"]
    assert "helm template" in problems["chart.yaml"]
    assert "link" in problems["out-of-here.yaml"]
    base = yaml.safe_load((patch.out / "base" / "kustomization.yaml").read_text())
    assert base["resources"] == ["pod.yaml"]
    assert not (patch.out / "base" / "out-of-here.yaml").exists()


def test_objects_without_a_name_are_reported(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    manifest = pod("", f"{registry.host}/closed/api:v1", generateName="job-")
    (vendor / "pod.yaml").write_text(manifest)

    (vendor / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")

    outcome = patch()

    assert outcome.code == 3
    assert "pod.yaml has a Pod without metadata.name" in outcome.err
    assert "map.yaml has a ConfigMap without metadata.name" in outcome.err
    assert "patches" not in patch.midstream()
