"""How many bytes of whole answers are in memory, of one subject and of all."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from portal.limits.fair_share import FairShare

BYTES = FairShare(
    "edge-buffered-bytes",
    total=settings.BERTH_BUFFER_BYTES,
    each=settings.BERTH_BUFFER_BYTES_PER_LOGIN,
)


@dataclass
class Buffer:
    """One answer's part of the bytes in memory."""

    holder: Hashable
    size: int = 0

    def grow(self, size: int) -> None:
        """Take more bytes; raises ShareExceeded if they are not free."""
        BYTES.take(self.holder, size)
        self.size += size


@contextmanager
def buffer_for(holder: Hashable) -> Iterator[Buffer]:
    """Count what an answer takes until it is sent."""
    buffer = Buffer(holder)
    try:
        yield buffer
    finally:
        BYTES.give_back(buffer.holder, buffer.size)
