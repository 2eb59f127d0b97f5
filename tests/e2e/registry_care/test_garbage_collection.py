"""Distribution's garbage collection, as docs/operations/private-registry.md has it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deploy.local.images import tar_layer
from tests.e2e.registry_care.conftest import Registry

MEGABYTE = 2**20


def layer(seed: int) -> bytes:
    """Return a layer of a megabyte that does not compress."""
    return tar_layer({"data": hashlib.shake_128(bytes([seed])).digest(MEGABYTE)})


SHARED, KEPT, DELETED = layer(1), layer(2), layer(3)


def push_two_and_delete_one(registry: Registry, slug: str) -> str:
    kept = registry.push(f"{slug}/kept", SHARED, KEPT)
    deleted = registry.push(f"{slug}/deleted", SHARED, DELETED)
    answer = registry.ask("DELETE", f"{slug}/deleted", f"manifests/{deleted}", "delete")
    assert answer.status == 202, answer.body
    return kept


def assert_pulls_whole(registry: Registry, image: str, target: Path) -> None:
    pulled = registry.pull(image, target)
    assert pulled.returncode == 0, pulled.stderr
    # Two layers, the configuration, the manifest, and the version of the form.
    assert len(list(target.iterdir())) == 5


def test_what_no_image_needs_is_removed_and_the_rest_pulls_whole(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    with registry.start():
        kept = push_two_and_delete_one(registry, slug)
    before = registry.stored_bytes

    said = registry.collect_garbage()

    # The layer, the configuration and the manifest of the deleted image.
    assert "3 blobs and 0 manifests eligible for deletion" in said
    assert MEGABYTE < before - registry.stored_bytes < 1.1 * MEGABYTE
    with registry.start():
        assert_pulls_whole(registry, f"{slug}/kept@{kept}", tmp_path / "kept")
        gone = registry.pull(f"{slug}/deleted:v1", tmp_path / "deleted")
        assert gone.returncode != 0
        assert "manifest unknown" in gone.stderr


def test_images_for_several_platforms_stay_whole(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    with registry.start():
        index = registry.push_index(f"{slug}/api", SHARED, KEPT)
        push_two_and_delete_one(registry, slug)

    registry.collect_garbage()

    with registry.start():
        pulled = registry.pull(f"{slug}/api@{index}", tmp_path / "pulled")
    assert pulled.returncode == 0, pulled.stderr
    assert len(list((tmp_path / "pulled").glob("*.manifest.json"))) == 2


def test_a_dry_run_removes_nothing(registry: Registry, slug: str) -> None:
    with registry.start():
        push_two_and_delete_one(registry, slug)
    before = registry.stored_bytes

    said = registry.collect_garbage("--dry-run")

    assert "3 blobs and 0 manifests eligible for deletion" in said
    assert registry.stored_bytes == before


def test_what_was_removed_can_be_pushed_again(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    with registry.start():
        push_two_and_delete_one(registry, slug)
    registry.collect_garbage()

    with registry.start():
        again = registry.push_again(f"{slug}/deleted")
        assert again.returncode == 0, again.stderr
        assert_pulls_whole(registry, f"{slug}/deleted:v1", tmp_path / "again")


def test_a_read_only_registry_serves_pulls_meanwhile_and_refuses_the_rest(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    with registry.start():
        kept = push_two_and_delete_one(registry, slug)
    before = registry.stored_bytes
    registry.configure("--read-only", "--force")

    with registry.start():
        refused = registry.push_again(f"{slug}/deleted")
        undeleted = registry.ask(
            "DELETE", f"{slug}/kept", f"manifests/{kept}", "delete"
        )
        registry.collect_garbage()
        assert_pulls_whole(registry, f"{slug}/kept:v1", tmp_path / "kept")

    assert refused.returncode != 0
    assert undeleted.status == 405
    assert registry.stored_bytes < before - MEGABYTE
    registry.configure("--force")
    with registry.start():
        again = registry.push_again(f"{slug}/deleted")
        assert again.returncode == 0, again.stderr
