"""The cache stays within its limits, and the least recently used gives way."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from edge.cache import eviction
from edge.cache.eviction import EvictionLimits, Evictor
from edge.cache.place import Place
from edge.cache.store import NoRoom, Store
from edge.cache.tags import TagRecord, read_tag, tag_path, write_tag
from oci.media_types import OCI_INDEX
from tests.unit.edge.cache.objects import PLACE, key, put, store

MIB = 2**20
HOUR = 3600
REGISTRY = uuid.UUID(PLACE.registry_id)
OTHER = Place("0b0d2f8a-55a9-4d0c-8a0b-7c1d7cf26c1e", "0" * 32)
NO_LIMIT = 2**62


def evictor(
    root: Path,
    *,
    max_bytes: int = NO_LIMIT,
    inactive_seconds: float = HOUR,
    min_free_bytes: int = 0,
) -> Evictor:
    return Evictor(root, EvictionLimits(max_bytes, inactive_seconds, min_free_bytes))


def aged(path: Path, seconds: float) -> Path:
    """Have an object be used so long ago, and be as whole as before."""
    os.utime(path, ns=(time.time_ns() - int(seconds * 10**9), 10**9))
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    return store(tmp_path)


def test_nothing_goes_within_the_limits(kept: Store, tmp_path: Path) -> None:
    path = aged(put(kept), HOUR - 60)

    assert evictor(tmp_path).run_once() == Counter()
    assert path.exists()
    assert evictor(tmp_path / "absent").run_once() == Counter()


def test_what_nobody_used_for_long_goes(kept: Store, tmp_path: Path) -> None:
    old = aged(put(kept, b"old"), HOUR + 60)
    new = aged(put(kept, b"new", OTHER), HOUR - 60)

    assert evictor(tmp_path).run_once() == Counter({REGISTRY: 1})
    assert not old.exists()
    # Nor does its empty directory stay.
    assert not old.parents[2].exists()
    assert new.exists()


def test_the_least_recently_used_goes_until_it_fits(
    kept: Store, tmp_path: Path
) -> None:
    paths = [
        aged(put(kept, bytes([number]) * MIB), 100 * (10 - number))
        for number in range(10)
    ]
    aged(paths[0], 0)

    evicted = evictor(tmp_path, max_bytes=6 * MIB).run_once()

    assert evicted == Counter({REGISTRY: 4})
    assert [path.exists() for path in paths] == [True] + [False] * 4 + [True] * 5


def test_large_objects_count_and_go_too(tmp_path: Path) -> None:
    kept = store(tmp_path, nginx_bytes=10)
    large = aged(put(kept, bytes(MIB)), 100)

    assert large.is_relative_to(tmp_path / "large")
    assert evictor(tmp_path, max_bytes=MIB // 2).run_once() == Counter({REGISTRY: 1})
    assert not large.exists()


def test_free_space_is_made(kept: Store, tmp_path: Path) -> None:
    paths = [aged(put(kept, bytes([n]) * MIB), 100 * (3 - n)) for n in range(3)]
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize

    assert evictor(tmp_path, min_free_bytes=free * 2).run_once()[REGISTRY] == 3
    assert not any(path.exists() for path in paths)


def test_use_keeps_an_object(kept: Store, tmp_path: Path) -> None:
    used, unused = (aged(put(kept, body), 2 * HOUR) for body in (b"1", b"2"))
    manifest = key(b"3", "manifests")
    kept.put(manifest, OCI_INDEX, b"3")
    aged(kept.path_of(manifest, OCI_INDEX, 1), 2 * HOUR)
    limited = evictor(tmp_path)

    limited.touch(PLACE, "blobs", key(b"1").digest)
    limited.touch(PLACE, "manifests", manifest.digest)
    limited.touch(PLACE, "blobs", key(b"absent").digest)
    limited.touch(PLACE, "tags", "list")

    assert limited.run_once() == Counter({REGISTRY: 1})
    assert (used.exists(), unused.exists()) == (True, False)
    entry = kept.find(manifest)
    assert entry is not None
    entry.file.close()


def test_the_edges_own_hits_are_use(kept: Store, tmp_path: Path) -> None:
    path = aged(put(kept, b"1"), 2 * HOUR)

    entry = kept.find(key(b"1"))

    assert entry is not None
    entry.file.close()
    assert evictor(tmp_path).run_once() == Counter()
    assert path.stat().st_mtime_ns == 10**9


def test_files_of_killed_edges_go_after_an_hour(kept: Store, tmp_path: Path) -> None:
    put(kept)
    old, new = tmp_path / "tmp" / "1-old", tmp_path / "tmp" / "1-new"
    for path in (old, new):
        path.write_bytes(b"half of it")
    os.utime(old, (0, time.time() - HOUR - 60))

    assert evictor(tmp_path).run_once() == Counter()

    assert (old.exists(), new.exists()) == (False, True)


def test_tags_that_nobody_confirmed_go(kept: Store, tmp_path: Path) -> None:
    for tag in ("old", "new"):
        write_tag(kept, PLACE, tag, TagRecord(key().digest, OCI_INDEX, 1, time.time()))
    os.utime(tag_path(tmp_path, PLACE, "old"), (0, time.time() - HOUR - 60))

    evictor(tmp_path).run_once()

    assert read_tag(kept, PLACE, "old") is None
    assert read_tag(kept, PLACE, "new") is not None


def test_what_is_not_of_a_registry_stays(tmp_path: Path) -> None:
    strange = tmp_path / "objects" / "lost+found" / "file"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"x")
    os.utime(strange, (0, 0))

    assert evictor(tmp_path, max_bytes=0).run_once() == Counter()
    assert strange.exists()


def scrubbed(root: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[uuid.UUID]:
    """Run until all objects were read once."""
    monkeypatch.setattr(eviction, "SCRUB_BYTES_PER_SECOND", 2**40)
    limited = evictor(root)
    # The first time finds the beginning, the second reads.
    return limited.run_once() + limited.run_once()


def test_bytes_that_went_bad_are_noticed(
    kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, written = (put(kept, body) for body in (b"good", b"bad", b"written"))
    manifest = key(b"manifest", "manifests")
    kept.put(manifest, OCI_INDEX, b"manifest")
    bad.chmod(0o644)
    bad.write_bytes(b"BAD")
    aged(bad, 100)  # as bit rot below the file system would
    written.chmod(0o644)
    written.write_bytes(b"written")
    used = good.stat().st_atime_ns

    assert scrubbed(tmp_path, monkeypatch) == Counter({REGISTRY: 2})

    assert (good.exists(), bad.exists(), written.exists()) == (True, False, False)
    assert kept.path_of(manifest, OCI_INDEX, 8).exists()
    # Being read here is no use.
    assert good.stat().st_atime_ns == used


def test_reading_everything_again_takes_its_time(
    kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "SCRUB_BYTES_PER_SECOND", 1)
    for number in range(4):
        path = put(kept, bytes([number]) * MIB)
        path.chmod(0o644)
        path.write_bytes(b"bad" * MIB)
        aged(path, 10)
    limited = evictor(tmp_path)

    evicted = sum((limited.run_once() for _ in range(5)), Counter())

    # One object is more than may be read in a long time.
    assert evicted == Counter({REGISTRY: 1})


def test_tags_and_empty_files_take_room_too(kept: Store, tmp_path: Path) -> None:
    """An upstream may have any tag, and an empty blob in any repository."""
    record = TagRecord(key().digest, OCI_INDEX, 1, time.time())
    for number in range(30):
        write_tag(kept, PLACE, f"v{number}", record)
        put(kept, b"", Place(PLACE.registry_id, f"{number:032x}"))
    used = aged(put(kept, bytes(MIB)), -60)

    evicted = evictor(tmp_path, max_bytes=MIB + 10 * 4096).run_once()

    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert used in left
    assert len(left) <= 11
    # Of objects alone.
    assert sum(evicted.values()) == 30 - sum(path.stat().st_size == 0 for path in left)


def test_no_record_of_a_tag_is_written_to_a_full_disk(tmp_path: Path) -> None:
    full = store(tmp_path, min_free=NO_LIMIT)

    with pytest.raises(NoRoom):
        write_tag(full, PLACE, "v1", TagRecord(key().digest, OCI_INDEX, 1, 0.0))

    assert list(tmp_path.rglob("*")) == []
