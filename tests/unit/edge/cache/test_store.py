"""The store keeps whole objects with the right bytes, and finds no others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cache.marks import mark_used
from edge.cache.place import Place
from edge.cache.store import BLOB_TYPE, EXTENSIONS, NoRoom, ObjectKey, Store
from oci.media_types import OCI_INDEX
from tests.unit.edge.cache.objects import BODY, PLACE, key, put, store


def content(kept: Store, of: ObjectKey) -> bytes | None:
    entry = kept.find(of)
    if entry is None:
        return None
    with entry:
        return entry.file.read()


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_what_is_kept_is_found_under_its_place_kind_and_digest(tmp_path: Path) -> None:
    kept = store(tmp_path)

    path = put(kept)

    assert path == tmp_path / "objects" / PLACE.path / "blobs" / key().digest
    assert content(kept, key()) == BODY
    for other in (
        key(place=Place(PLACE.registry_id, "1" * 32)),
        key(kind="manifests"),
        key(BODY + b"!"),
    ):
        assert kept.find(other) is None


def test_files_say_that_they_are_whole_and_cannot_be_written(tmp_path: Path) -> None:
    status = put(store(tmp_path)).stat()

    assert status.st_mtime_ns == 10**9
    assert status.st_mode & 0o777 == 0o444 & ~current_umask()
    assert time.time() - status.st_atime < 60
    assert (tmp_path / "tmp").stat().st_mode & 0o777 == 0o700


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("media_type", EXTENSIONS)
def test_a_manifest_keeps_its_media_type(tmp_path: Path, media_type: str) -> None:
    kept = store(tmp_path)
    kept.put(key(kind="manifests"), media_type, BODY)

    entry = kept.find(key(kind="manifests"))

    assert entry is not None
    with entry:
        assert (entry.media_type, entry.size) == (media_type, len(BODY))
        assert entry.path.suffix == f".{EXTENSIONS[media_type]}"


def test_large_blobs_have_a_directory_that_nginx_does_not_know(tmp_path: Path) -> None:
    kept = store(tmp_path, nginx_bytes=len(BODY))

    small = put(kept)
    large = put(kept, BODY + b"!")

    assert small.is_relative_to(tmp_path / "objects")
    assert large == tmp_path / "large" / PLACE.path / "blobs" / large.name
    assert content(kept, key(BODY + b"!")) == BODY + b"!"
    # Manifests are small: no registry has larger ones than a few MB.
    kept.put(key(BODY + b"!", "manifests"), OCI_INDEX, BODY + b"!")
    assert content(kept, key(BODY + b"!", "manifests")) is not None


def test_wrong_bytes_are_not_kept(tmp_path: Path) -> None:
    kept = store(tmp_path)

    for wrong in (BODY[:-1], BODY + b"!", b""):
        with pytest.raises(ValueError, match="not the bytes"):
            kept.put(key(), BLOB_TYPE, wrong)
    draft = kept.begin(key(), BLOB_TYPE, len(BODY))
    draft.write(BODY[:-1])

    assert not draft.is_right
    draft.discard()
    draft.close()
    assert kept.find(key()) is None
    assert files(tmp_path) == []


def write_again(path: Path, body: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(body)


def replace(path: Path, body: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(body)
    other.rename(path)


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, 10)


@pytest.mark.parametrize(
    "change",
    [
        truncate,
        lambda path: write_again(path, b""),
        lambda path: write_again(path, b"X" + BODY[1:]),
        lambda path: write_again(path, BODY),
        lambda path: replace(path, b"X" + BODY[1:]),
        lambda path: replace(path, b""),
    ],
    ids=["truncated", "emptied", "flipped", "written", "replaced", "replaced-empty"],
)
def test_a_file_that_anybody_wrote_to_is_deleted(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    kept = store(tmp_path)
    path = put(kept)

    change(path)

    assert kept.find(key()) is None
    assert not path.exists()
    put(kept)
    assert content(kept, key()) == BODY


def test_links_and_directories_are_not_objects(tmp_path: Path) -> None:
    kept = store(tmp_path)
    path = put(kept)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)

    path.symlink_to(elsewhere)
    assert kept.find(key()) is None
    assert not path.is_symlink()
    path.mkdir()
    assert kept.find(key()) is None


def test_a_change_after_it_was_found_shows(tmp_path: Path) -> None:
    kept = store(tmp_path)
    path = put(kept)
    entry = kept.find(key())
    assert entry is not None

    with entry:
        assert entry.is_unchanged
        write_again(path, b"X")
        assert not entry.is_unchanged


def test_use_does_not_hide_a_change(tmp_path: Path) -> None:
    kept = store(tmp_path)
    path = put(kept)
    os.utime(path, (10, 1))

    mark_used(path)

    assert time.time() - path.stat().st_atime < 60
    assert content(kept, key()) == BODY
    write_again(path, BODY)
    mark_used(path)
    assert kept.find(key()) is None
    with pytest.raises(FileNotFoundError):
        mark_used(path)


def test_what_does_not_fit_is_refused_before_it_is_written(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize

    with pytest.raises(NoRoom):
        store(tmp_path, min_free=free * 2).begin(key(), BLOB_TYPE, 1)
    with pytest.raises(NoRoom):
        store(tmp_path, max_bytes=len(BODY) - 1).begin(key(), BLOB_TYPE, len(BODY))

    assert files(tmp_path) == []


def test_a_body_of_unknown_length_may_not_grow_without_end(tmp_path: Path) -> None:
    kept = store(tmp_path, max_bytes=40 * 2**20)
    draft = kept.begin(key(), BLOB_TYPE, None)

    for _ in range(24):
        draft.write(bytes(2**20))
    with pytest.raises(NoRoom):
        draft.write(bytes(2**24))

    draft.discard()
    draft.close()
    assert files(tmp_path) == []


def test_a_declared_size_is_reserved(tmp_path: Path) -> None:
    draft = store(tmp_path).begin(key(), BLOB_TYPE, 2**20)

    assert draft.path.stat().st_blocks * 512 >= 2**20

    draft.discard()
    draft.close()


def test_a_directory_may_disappear_before_its_first_file(tmp_path: Path) -> None:
    kept = store(tmp_path)
    path = put(kept)
    path.unlink()
    for directory in (path.parent, path.parent.parent, path.parents[2]):
        directory.rmdir()

    put(kept)

    assert content(kept, key()) == BODY
