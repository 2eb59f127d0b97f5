"""What a tag last meant is found again, or not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.cache.place import Place
from edge.cache.tags import TagRecord, find_tagged, read_tag, tag_path, write_tag
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from tests.unit.edge.cache.objects import BODY, PLACE, key, store

RECORD = TagRecord(key().digest, OCI_INDEX, 15, 1_700_000_000.5)


def test_a_record_is_found_under_its_place_and_tag(tmp_path: Path) -> None:
    kept = store(tmp_path)

    write_tag(kept, PLACE, "v1", RECORD)

    assert read_tag(kept, PLACE, "v1") == RECORD
    assert read_tag(kept, PLACE, "v2") is None
    assert read_tag(kept, Place(PLACE.registry_id, "1" * 32), "v1") is None
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_new_answer_replaces_the_last(tmp_path: Path) -> None:
    kept = store(tmp_path)
    write_tag(kept, PLACE, "v1", RECORD)
    other = RECORD._replace(media_type=OCI_MANIFEST, verified_at=1_700_000_001.5)

    write_tag(kept, PLACE, "v1", other)

    assert read_tag(kept, PLACE, "v1") == other


def test_a_tag_is_found_with_its_manifest(tmp_path: Path) -> None:
    kept = store(tmp_path)
    write_tag(kept, PLACE, "v1", RECORD)
    assert find_tagged(kept, PLACE, "v1") is None

    kept.put(key(kind="manifests"), OCI_INDEX, BODY)
    tagged = find_tagged(kept, PLACE, "v1")

    assert tagged is not None
    record, entry = tagged
    with entry:
        assert (record, entry.file.read()) == (RECORD, BODY)
    assert find_tagged(kept, PLACE, "v2") is None


def test_records_are_the_edges_alone(tmp_path: Path) -> None:
    write_tag(store(tmp_path), PLACE, "v1", RECORD)

    for top in ("tags", "tmp"):
        assert (tmp_path / top).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"digest": "sha256:0", "media_type": "text/html", "size": 1}',
        '{"digest": "x", "media_type": "text/html", "size": 1, "verified_at": 1}',
        '{"digest": "x", "media_type": "text/html", "size": "x", "verified_at": 1}',
        "[" * 100_000,
    ],
)
def test_a_broken_record_is_none(tmp_path: Path, text: str) -> None:
    kept = store(tmp_path)
    write_tag(kept, PLACE, "v1", RECORD)

    tag_path(tmp_path, PLACE, "v1").write_text(text)

    assert read_tag(kept, PLACE, "v1") is None
    write_tag(kept, PLACE, "v1", RECORD)
    assert read_tag(kept, PLACE, "v1") == RECORD


def test_a_record_of_the_future_is_not_young() -> None:
    """The clock was set back since it was written."""
    assert RECORD._replace(verified_at=time.time() + 7200).age > 7000
