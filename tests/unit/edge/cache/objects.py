"""A store in a real directory, and objects for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge.cache.place import Place
from edge.cache.store import BLOB_TYPE, Limits, ObjectKey, ObjectKind, Store

PLACE = Place("7c1d7cf2-55a9-4d0c-8a0b-0d2f8a6c1e11", "0" * 32)
BODY = b"the right bytes" * 1000


def store(
    root: Path, *, max_bytes: int = 2**30, min_free: int = 0, nginx_bytes: int = 2**20
) -> Store:
    return Store(root, Limits(max_bytes, min_free, nginx_bytes))


def key(
    body: bytes = BODY, kind: ObjectKind = "blobs", place: Place = PLACE
) -> ObjectKey:
    return ObjectKey(place, kind, f"sha256:{hashlib.sha256(body).hexdigest()}")


def put(kept: Store, body: bytes = BODY, place: Place = PLACE) -> Path:
    """Keep a blob, and return where."""
    kept.put(key(body, place=place), BLOB_TYPE, body)
    return kept.path_of(key(body, place=place), BLOB_TYPE, len(body))
