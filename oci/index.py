"""The manifests of an index (OCI image spec; docker calls it a manifest list)."""

from __future__ import annotations

import json

from oci.digest import is_digest
from oci.media_types import DOCKER_LIST, OCI_INDEX

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
# Reading more takes too long for an event loop; usual indexes have a few KB.
MAX_INDEX_BYTES = 512 * 1024


def is_index(media_type: str) -> bool:
    """Return whether a Content-Type is that of an index."""
    return media_type.partition(";")[0].strip().lower() in INDEX_TYPES


def children_of(
    media_type: str, content: bytes | bytearray | None
) -> tuple[str, ...] | None:
    """Return the digests of an index's manifests; () for any other media type.

    None if they are unknown: the content is, or is too large or malformed.
    """
    if not is_index(media_type):
        return ()
    if content is None or len(content) > MAX_INDEX_BYTES:
        return None
    try:
        entries = json.loads(content)["manifests"]
        digests = [entry["digest"] for entry in entries]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return tuple(
        digest for digest in digests if isinstance(digest, str) and is_digest(digest)
    )
