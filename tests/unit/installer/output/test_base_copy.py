"""``OUT/base`` follows the vendor's releases, and Kustomize accepts it."""

from __future__ import annotations

import json
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.support.installer.command import tree
from tests.support.installer.licenses import LICENSE_ID
from tests.support.installer.patching import Patch
from tests.support.installer.pods import pod
from tests.support.installer.servers import Server

COMPONENT = (
    "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: x-\n"
)


@pytest.fixture
def image(registry: Server) -> str:
    return f"{registry.host}/open/app:v1"


def listed(patch: Patch) -> list[str]:
    content = yaml.safe_load((patch.out / "base" / "kustomization.yaml").read_text())
    return list(content["resources"])


def put(directory: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    "name", ["kustomization.yaml", "kustomization.yml", "Kustomization"]
)
def test_a_vendor_may_add_and_remove_its_own_list(
    patch: Patch, vendor: Path, image: str, name: str
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", image))
    own = "resources: [pod.yaml]\n"
    assert patch().code == 0

    (vendor / name).write_text(own)
    assert patch().code == 0
    base = tree(patch.out / "base")
    assert sorted(base) == sorted([name, "pod.yaml"])
    assert base[name].decode() == own

    (vendor / name).unlink()
    assert patch().code == 0
    assert sorted(tree(patch.out / "base")) == ["kustomization.yaml", "pod.yaml"]
    assert listed(patch) == ["pod.yaml"]


def test_a_handmade_list_under_another_name_is_in_the_way(
    patch: Patch, vendor: Path, image: str
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", image))
    put(patch.out / "base", {"kustomization.yml": "mine: true\n"})
    before = tree(patch.out)

    outcome = patch()

    assert outcome.code == 4
    assert tree(patch.out) == before
    assert patch("--force").code == 0
    assert sorted(tree(patch.out / "base")) == ["kustomization.yaml", "pod.yaml"]


def test_directories_that_another_one_uses_are_listed_once(
    patch: Patch, vendor: Path, image: str
) -> None:
    put(
        vendor,
        {
            "base/kustomization.yaml": "resources: [pod.yaml]\n",
            "base/pod.yaml": pod("web", image),
            "overlays/prod/kustomization.yaml": (
                "resources: [../../base]\ncomponents: [../../extras/used]\n"
            ),
            "extras/used/kustomization.yaml": COMPONENT,
            "extras/unused/kustomization.yaml": COMPONENT,
        },
    )

    assert patch().code == 0

    assert listed(patch) == ["overlays/prod"]
    assert built(patch).returncode == 0


def built(patch: Patch) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", "kustomize", patch.out / "overlays" / "midstream"],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {
                "base/kustomization.yaml": "resources: [pod.yaml]\n",
                "base/pod.yaml": pod("web", "{image}"),
                "prod/kustomization.yaml": "resources: [../base]\n",
                "test/kustomization.yaml": "resources: [../base]\n",
            },
            "prod and test both use base",
            id="two-overlays",
        ),
        pytest.param(
            {"a.yaml": pod("web", "{image}"), "b.yaml": pod("web", "{image}")},
            "Pod web occurs 2 times",
            id="the-same-object",
        ),
        pytest.param(
            {"a.yaml": pod("web", "{image}") + "---\nreplicas: 3\n"},
            "a.yaml:10 is a document without a kind",
            id="no-kind",
        ),
        pytest.param(
            {"a.yaml": pod("web", "{image}"), "kustomization.yaml": COMPONENT},
            "directory is a Component",
            id="a-component",
        ),
        pytest.param(
            {
                "a.yaml": pod("web", "{image}"),
                "kustomization.yaml": "resources: [a.yaml]\n",
                "Kustomization": "resources: [a.yaml]\n",
            },
            "Kustomization and kustomization.yaml are in one directory",
            id="two-lists",
        ),
    ],
)
def test_what_kustomize_refuses_is_reported(
    patch: Patch, vendor: Path, image: str, files: dict[str, str], problem: str
) -> None:
    put(vendor, {name: item.replace("{image}", image) for name, item in files.items()})

    outcome = patch()

    assert outcome.code == 3
    assert problem in outcome.err
    assert built(patch).returncode != 0


def test_files_keep_their_mode(patch: Patch, vendor: Path, image: str) -> None:
    (vendor / "pod.yaml").write_text(pod("web", image))
    (vendor / "pod.yaml").chmod(0o600)
    copy = patch.out / "base" / "pod.yaml"

    assert patch().code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600

    (vendor / "pod.yaml").chmod(0o640)
    assert patch().code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640


def test_licenses_are_not_copied(
    patch: Patch, vendor: Path, image: str, license: Path
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", image))
    (vendor / "license.txt").write_bytes(license.read_bytes())
    (vendor / "other.yaml").write_bytes(license.read_bytes() + b"# older\n")

    outcome = patch()

    assert outcome.code == 0
    assert "license.txt is a license" in outcome.err
    assert "other.yaml is a license" in outcome.err
    base = tree(patch.out / "base")
    assert sorted(base) == ["kustomization.yaml", "pod.yaml"]
    assert not any(LICENSE_ID.encode() in item for item in base.values())


def test_objects_beside_a_license_are_reported(
    patch: Patch, vendor: Path, image: str, license: Path
) -> None:
    manifest = license.read_text() + "---\n" + pod("web", image)
    (vendor / "both.yaml").write_text(manifest)

    outcome = patch()

    assert outcome.code == 3
    assert "both.yaml has a license and other objects" in outcome.err
    assert listed(patch) == []


def test_a_name_that_is_not_utf_8_is_refused_before_writing(
    patch: Patch, vendor: Path, image: str
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", image))
    (vendor / "caf\udce9.txt").write_text("")

    outcome = patch()

    assert outcome.code == 2
    assert r"caf\\xe9.txt" in outcome.err
    assert not patch.out.exists()


def test_images_reports_a_name_that_is_not_utf_8(
    patch: Patch, vendor: Path, image: str
) -> None:
    (vendor / "caf\udce9.yaml").write_text(pod("web", image))

    ran = subprocess.run(
        [sys.executable, "-m", "installer", "images", vendor, "-o", "json"],
        cwd=Path(__file__).parents[4],
        check=False,
        capture_output=True,
    )

    assert ran.returncode == 3
    (problem,) = json.loads(ran.stdout)["problems"]
    assert problem["file"] == r"caf\xe9.yaml"


def test_a_directory_becomes_a_file_and_a_file_a_directory(
    patch: Patch, vendor: Path, image: str
) -> None:
    put(vendor, {"a/pod.yaml": pod("a", image), "b": "text"})
    assert patch().code == 0

    (vendor / "a" / "pod.yaml").unlink()
    (vendor / "a").rmdir()
    (vendor / "b").unlink()
    put(vendor, {"a": "text", "b/pod.yaml": pod("b", image)})
    assert patch().code == 0

    assert sorted(tree(patch.out / "base")) == ["a", "b/pod.yaml", "kustomization.yaml"]
    assert listed(patch) == ["b/pod.yaml"]


def test_a_directory_with_a_handmade_file_does_not_become_a_file(
    patch: Patch, vendor: Path, image: str
) -> None:
    put(vendor, {"a/pod.yaml": pod("a", image)})
    assert patch().code == 0
    put(patch.out / "base", {"a/mine.txt": "mine"})
    (vendor / "a" / "pod.yaml").unlink()
    (vendor / "a").rmdir()
    put(vendor, {"a": "text"})
    before = tree(patch.out)

    assert patch().code == 4
    assert patch("--force").code == 4
    assert tree(patch.out) == before


def test_an_interrupted_copy_is_resumed(patch: Patch, vendor: Path, image: str) -> None:
    put(vendor, {"a.yaml": pod("a", image), "b.txt": "small"})
    assert patch().code == 0
    put(vendor, {"a.yaml": pod("a2", image), "b.txt": "large" * 10_000})

    with no_file_larger_than(16_384):
        outcome = patch()

    assert (outcome.code, "File too large" in outcome.err) == (2, True)
    base = tree(patch.out / "base")
    assert b"a2" in base["a.yaml"]
    assert base["b.txt"] == b"small"
    # The next release finds a file from a run that did not finish.
    (vendor / "a.yaml").write_text(pod("a3", image))
    assert patch().code == 0
    base = tree(patch.out / "base")
    assert b"a3" in base["a.yaml"]
    assert base["b.txt"] == b"large" * 10_000


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Make writes fail at this size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_large_files_are_not_held_in_memory(tmp_path: Path, vendor: Path) -> None:
    size = 96 * 1024 * 1024
    with (vendor / "chart.tgz").open("wb") as file:
        file.truncate(size)
    program = (
        "import sys, tracemalloc; from pathlib import Path\n"
        "from installer.output.base_copy import copy_base, plan_base\n"
        "vendor, base = map(Path, sys.argv[1:])\n"
        "tracemalloc.start()\n"
        "copy_base(plan_base(vendor, base, skip=base, left_out=(), force=False))\n"
        "print(tracemalloc.get_traced_memory()[1])\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program, vendor, tmp_path / "out" / "base"],
        cwd=Path(__file__).parents[4],
        check=True,
        capture_output=True,
        text=True,
    )

    assert int(ran.stdout) < size // 8
    assert (tmp_path / "out" / "base" / "chart.tgz").stat().st_size == size
