"""Objects are read again, and those go that are not what their names say."""

from __future__ import annotations

import logging
import os
import uuid
from collections import Counter
from pathlib import Path

import pytest

from edge.cache import scrubber
from edge.cache.scrubber import Scrubber
from edge.cache.store import Store
from oci.media_types import OCI_INDEX
from tests.unit.edge.cache.objects import PLACE, key, put, store

MIB = 2**20
REGISTRY = uuid.UUID(PLACE.registry_id)


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    return store(tmp_path)


def mark_whole_again(path: Path) -> None:
    os.utime(path, ns=(path.stat().st_atime_ns, 10**9))


def scrubbed(root: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[uuid.UUID]:
    """Run until all objects were read once."""
    monkeypatch.setattr(scrubber, "BYTES_PER_SECOND", 2**40)
    reader = Scrubber(root)
    # The first time finds the beginning, the second reads.
    return reader.run_once() + reader.run_once()


def test_bytes_that_went_bad_are_noticed(
    kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, written = (put(kept, body) for body in (b"good", b"bad", b"written"))
    manifest = key(b"manifest", "manifests")
    kept.put(manifest, OCI_INDEX, b"manifest")
    bad.chmod(0o644)
    bad.write_bytes(b"BAD")
    mark_whole_again(bad)  # as bit rot below the file system would
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
    monkeypatch.setattr(scrubber, "BYTES_PER_SECOND", 1)
    for number in range(4):
        path = put(kept, bytes([number]) * MIB)
        path.chmod(0o644)
        path.write_bytes(b"bad" * MIB)
        mark_whole_again(path)
    reader = Scrubber(tmp_path)

    evicted = sum((reader.run_once() for _ in range(5)), Counter())

    # One object is more than may be read in a long time.
    assert evicted == Counter({REGISTRY: 1})


def test_only_a_disk_that_lost_an_object_has_it_deleted(
    kept: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Too many open files, or missing rights, say nothing about the object."""
    lost, unreadable = put(kept, b"lost"), put(kept, b"unreadable")
    lost.unlink()
    lost.symlink_to("/proc/self/mem")  # EIO
    unreadable.unlink()
    unreadable.symlink_to(unreadable)  # ELOOP
    monkeypatch.setattr(scrubber, "BYTES_PER_SECOND", 2**40)
    reader = Scrubber(tmp_path)

    with caplog.at_level(logging.WARNING):
        deleted = sum((reader.run_once() for _ in range(3)), Counter())

    assert deleted == Counter({REGISTRY: 1})
    assert (lost.is_symlink(), unreadable.is_symlink()) == (False, True)
    assert "could not be read" in caplog.text
