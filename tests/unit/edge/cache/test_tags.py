"""What a tag last meant is found again, or not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.cache.place import Place
from edge.cache.tags import TagRecord, read_tag, tag_path, write_tag
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from tests.unit.edge.cache.objects import PLACE, key, store

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
    now = time.time()
    write_tag(kept, PLACE, "v1", RECORD._replace(verified_at=now))

    # Confirmed again within a second: nothing to write.
    write_tag(kept, PLACE, "v1", RECORD._replace(verified_at=now + 0.1))
    same = read_tag(kept, PLACE, "v1")
    other = RECORD._replace(media_type=OCI_MANIFEST, verified_at=now + 0.1)
    write_tag(kept, PLACE, "v1", other)

    assert same == RECORD._replace(verified_at=now)
    assert read_tag(kept, PLACE, "v1") == other


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
