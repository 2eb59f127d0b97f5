"""Storage of the private registry, copied and put back on a new host."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from deploy.local.images import tar_layer
from deploy.local.process import free_port
from tests.e2e.registry_care.conftest import Registry

LAYERS = (tar_layer({"a.txt": b"a"}), tar_layer({"b.txt": b"b"}))


def digest_of(registry: Registry, name: str, tag: str) -> str:
    answer = registry.ask("HEAD", name, f"manifests/{tag}", "pull")
    assert answer.status == 200
    return answer.headers["Docker-Content-Digest"]


def back_up(storage: Path, backup: Path, part: str) -> None:
    below = Path("docker/registry/v2") / part
    shutil.copytree(storage / below, backup / below)


def configured_in(directory: Path, registry: Registry) -> Registry:
    restored = dataclasses.replace(
        registry,
        config=directory / "config.yml",
        storage=directory / "storage",
        port=free_port(),
    )
    restored.configure()
    return restored


def test_a_copy_of_the_storage_gives_the_same_images(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    name, elsewhere = f"{slug}/api", tmp_path / "elsewhere"
    with registry.start():
        pushed = {
            tag: registry.push(name, layer, tag=tag)
            for tag, layer in zip(("v1", "v2"), LAYERS, strict=True)
        }
        # While it runs and is pushed to: names first, then what they name.
        back_up(registry.storage, elsewhere / "storage", "repositories")
        later = registry.push(name, *LAYERS, tag="later")
        back_up(registry.storage, elsewhere / "storage", "blobs")
        assert digest_of(registry, name, "later") == later

    restored = configured_in(elsewhere, registry)
    with restored.start():
        found = {tag: digest_of(restored, name, tag) for tag in pushed}
        pulled = [
            restored.pull(f"{name}@{digest}", tmp_path / tag)
            for tag, digest in pushed.items()
        ]
        missing = restored.ask("HEAD", name, "manifests/later", "pull")

    assert found == pushed
    assert len(set(pushed.values())) == 2
    assert [outcome.stderr for outcome in pulled if outcome.returncode] == []
    # Pushed after its repository was copied.
    assert missing.status == 404
