"""What a tag last meant upstream, kept for revalidation and for outages."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from cachetools import TTLCache

from edge.cache.place import Place
from edge.cache.store import EXTENSIONS, TMP, Entry, ObjectKey, Store, name_file

TAGS = "tags"
# A record that is younger need not be written again, nor read from disk.
CONFIRM_SECONDS = 1.0
MAX_RECENT_BYTES = 64 * 1024
_RECENT_TOTAL_BYTES = 16 * 2**20
# Python's own cost of an entry.
_ENTRY_BYTES = 1024
_BLOCK_BYTES = 4096


class TagRecord(NamedTuple):
    """A tag's manifest, and when the upstream last confirmed it."""

    digest: str
    media_type: str
    size: int
    verified_at: float

    @property
    def age(self) -> float:
        # A clock that was set back makes no record younger.
        return abs(time.time() - self.verified_at)


class RecentTag(NamedTuple):
    """A tag that was just confirmed, with its manifest."""

    record: TagRecord
    body: bytes


TagKey = tuple[Place, str]
RecentTags = TTLCache[TagKey, RecentTag]


def recent_tags() -> RecentTags:
    """Return an empty memory of bounded size, which lasts a second."""
    return TTLCache(
        _RECENT_TOTAL_BYTES,
        ttl=CONFIRM_SECONDS,
        getsizeof=lambda recent: len(recent.body) + _ENTRY_BYTES,
    )


def tag_path(root: Path, place: Place, tag: str) -> Path:
    return root / TAGS / place.path / tag


def read_tag(store: Store, place: Place, tag: str) -> TagRecord | None:
    """Return a tag's record; None for one that is missing or cannot be read."""
    try:
        content = json.loads(tag_path(store.root, place, tag).read_bytes())
        record = TagRecord(
            str(content["digest"]),
            str(content["media_type"]),
            int(content["size"]),
            float(content["verified_at"]),
        )
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return record if record.media_type in EXTENSIONS else None


def write_tag(store: Store, place: Place, tag: str, record: TagRecord) -> None:
    """Keep what a tag means; raises NoRoom or OSError."""
    store.check_room(_BLOCK_BYTES)
    for directory in (store.root / TAGS, store.root / TMP):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = store.root / TMP / f"{os.getpid()}-{uuid.uuid4().hex}"
    draft.write_text(json.dumps(record._asdict()))
    name_file(draft, tag_path(store.root, place, tag))


def find_tagged(store: Store, place: Place, tag: str) -> tuple[TagRecord, Entry] | None:
    """Return what a tag meant last, if its manifest is on disk, open to be read."""
    record = read_tag(store, place, tag)
    if record is None:
        return None
    entry = store.find(ObjectKey(place, "manifests", record.digest))
    return (record, entry) if entry else None
