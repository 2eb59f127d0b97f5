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
NO_LIMIT = 2**33


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

    # And a twentieth more, for what comes until the next time.
    evicted = evictor(tmp_path, max_bytes=13 * MIB // 2).run_once()

    assert evicted == Counter({REGISTRY: 4})
    assert [path.exists() for path in paths] == [True] + [False] * 4 + [True] * 5


def test_the_registry_that_holds_the_most_gives_way(
    kept: Store, tmp_path: Path
) -> None:
    """However recently it was used, it does not push out what others have."""
    quiet, third = (
        Place(str(uuid.uuid4()), "1" * 32),
        Place(str(uuid.uuid4()), "2" * 32),
    )
    old = [aged(put(kept, bytes([n]) * MIB, quiet), 900 + n) for n in range(2)]
    older = [aged(put(kept, bytes([n]) * MIB, third), 800 + n) for n in range(4)]
    noisy = [aged(put(kept, bytes([n]) * MIB), 100 - n) for n in range(10)]

    evicted = evictor(tmp_path, max_bytes=9 * MIB).run_once()

    # Both keep as much as the other; the one that holds less than they keeps all.
    assert evicted == Counter({REGISTRY: 7, uuid.UUID(third.registry_id): 1})
    assert [path.exists() for path in noisy] == [False] * 7 + [True] * 3
    assert [path.exists() for path in older] == [True] * 3 + [False]
    assert all(path.exists() for path in old)


def test_more_is_evicted_than_is_chosen_at_a_time(
    kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "_CHOSEN", 3)
    for number in range(20):
        aged(put(kept, bytes([number]) * 4096), number)

    assert evictor(tmp_path, max_bytes=10 * 4096).run_once() == Counter({REGISTRY: 11})


def test_all_files_are_looked_at_when_the_disk_has_more(
    kept: Store, tmp_path: Path
) -> None:
    """Or every ten minutes: looking at a million takes long."""
    limited = evictor(tmp_path, max_bytes=64 * MIB)
    assert limited.run_once() == Counter()
    aged(put(kept, b"unused"), 2 * HOUR)
    assert limited.run_once() == Counter()

    for number in range(70):
        put(kept, bytes([number]) * MIB)
    os.sync()

    assert limited.run_once()[REGISTRY] > 1


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


def test_tags_and_empty_files_take_room_too(kept: Store, tmp_path: Path) -> None:
    """An upstream may have any tag, and an empty blob in any repository."""
    record = TagRecord(key().digest, OCI_INDEX, 1, time.time())
    for number in range(30):
        write_tag(kept, PLACE, f"v{number}", record)
        put(kept, b"", Place(PLACE.registry_id, f"{number:032x}"))
    used = aged(put(kept, bytes(MIB)), -60)

    most = (MIB + 10 * 4096) * 20 // 19
    evicted = evictor(tmp_path, max_bytes=most).run_once()

    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert used in left
    assert len(left) <= 11
    # Of objects alone.
    assert sum(evicted.values()) == 30 - sum(path.stat().st_size == 0 for path in left)


def test_no_record_of_a_tag_is_written_to_a_full_disk(tmp_path: Path) -> None:
    full = store(tmp_path, min_free=2**62)

    with pytest.raises(NoRoom):
        write_tag(full, PLACE, "v1", TagRecord(key().digest, OCI_INDEX, 1, 0.0))

    assert list(tmp_path.rglob("*")) == []
