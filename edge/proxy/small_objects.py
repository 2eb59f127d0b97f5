"""A short memory for small things that never change: manifests and blobs by digest.

Most requests of a pull are for something small and immutable, and asking the upstream
again costs many times what the edge itself needs. An answer is found only under the
version of the credential, the repository and the Accept header that it was fetched
with, so nothing crosses from one vendor, repository or credential to another. The pull
decision comes first, as for every request.
"""

from __future__ import annotations

from cachetools import TTLCache

from edge.http import Request
from edge.proxy.route import Route
from edge.proxy.stream import Whole
from registries.decision.pull import AllowedPull

# What a vendor deletes upstream is gone here after a minute.
KEPT_SECONDS = 60.0
MAX_OBJECT_BYTES = 64 * 1024
MAX_TOTAL_BYTES = 32 * 2**20
# Python's own cost of an entry: its key, headers and objects.
ENTRY_BYTES = 2048

Key = tuple[object, ...]
SmallObjects = TTLCache[Key, Whole]


def small_objects() -> SmallObjects:
    """Return an empty memory of bounded size; the least recently used gives way."""
    return TTLCache(MAX_TOTAL_BYTES, ttl=KEPT_SECONDS, getsizeof=_size)


def small_object_key(
    request: Request, route: Route, allowed: AllowedPull
) -> Key | None:
    """Return where an answer is kept; None if it depends on more than its digest."""
    if not route.is_immutable or not request.wants_all:
        return None
    accept = request.header("accept")
    if len(accept) > ENTRY_BYTES // 2:
        return None
    return (
        allowed.registry.credential.id,
        allowed.repository,
        route.kind,
        route.reference,
        accept,
    )


def is_worth_keeping(answer: Whole, digest: str) -> bool:
    """Return whether an answer is small, and was checked against its digest."""
    return len(answer.body) <= MAX_OBJECT_BYTES and answer.digest == digest


def _size(answer: Whole) -> int:
    return len(answer.body) + ENTRY_BYTES
