"""A short memory for small things that never change: manifests and blobs by digest.

Most of what a pull asks for is small and immutable, and asking the upstream for it
again costs many times what the edge itself needs. What is kept is found only under the
version of the credential, the repository and the Accept header it was got with, so
that nothing crosses from one vendor, repository or credential to another; the pull
decision comes before it as before everything else.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

from edge.http import Headers, Request
from edge.proxy.route import Route
from registries.decision.pull import AllowedPull

# What a vendor deletes upstream is gone here after a minute.
KEPT_SECONDS = 60.0
MAX_OBJECT_BYTES = 64 * 1024
MAX_TOTAL_BYTES = 32 * 2**20
# Python's own cost of an entry: its key, headers and objects.
ENTRY_BYTES = 2048

_PARTIAL = ("range", "if-range", "if-none-match", "if-modified-since")
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class SmallObject:
    """A whole answer of 200, with its exact headers."""

    headers: Headers
    body: bytes
    expires_at: float


class SmallObjects:
    """Keeps verified small answers for a minute, the least used giving way."""

    def __init__(self) -> None:
        self._objects: OrderedDict[Key, SmallObject] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key | None) -> SmallObject | None:
        found = self._objects.get(key) if key else None
        if key is None or found is None:
            return None
        if found.expires_at <= monotonic():
            self._remove(key)
            return None
        self._objects.move_to_end(key)
        return found

    def keep(self, key: Key | None, digest: str, headers: Headers, body: bytes) -> None:
        """Keep an answer, if its bytes are what their digest says."""
        if key is None or len(body) > MAX_OBJECT_BYTES or not _matches(body, digest):
            return
        if key in self._objects:
            self._remove(key)
        self._objects[key] = SmallObject(headers, body, monotonic() + KEPT_SECONDS)
        self._bytes += len(body) + ENTRY_BYTES
        while self._bytes > MAX_TOTAL_BYTES:
            self._remove(next(iter(self._objects)))

    def _remove(self, key: Key) -> None:
        self._bytes -= len(self._objects.pop(key).body) + ENTRY_BYTES


def small_object_key(
    request: Request, route: Route, allowed: AllowedPull
) -> Key | None:
    """Return where an answer is kept; None if it depends on more than its digest."""
    if not route.is_immutable:
        return None
    if any(request.header(name) for name in _PARTIAL):
        return None
    accept = request.header("accept")
    if len(accept) > ENTRY_BYTES // 2:
        return None
    return (
        allowed.credential.pk,
        allowed.repository,
        route.kind,
        route.reference,
        accept,
    )


def _matches(body: bytes, digest: str) -> bool:
    algorithm, _, encoded = digest.partition(":")
    return hashlib.new(algorithm, body).hexdigest() == encoded
