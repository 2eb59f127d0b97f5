"""Where the objects of one right to pull are kept on disk.

Nothing is found by its digest alone. Another credential, other patterns and another
repository have another place, so an old one cannot be reached from the moment that a
decision knows the change.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from registries.decision.pull import AllowedPull


class Place(NamedTuple):
    """A registry, and one right to pull from it: 32 hexadecimal digits."""

    registry_id: str
    right: str

    def __str__(self) -> str:
        return f"{self.registry_id}/{self.right}"

    @property
    def path(self) -> PurePosixPath:
        return PurePosixPath(self.registry_id, self.right)


def place_of(allowed: AllowedPull) -> Place:
    """Return the place of what an allowed pull may read."""
    registry = allowed.registry
    return _place(
        registry.id,
        registry.credential.id,
        tuple(registry.patterns),
        allowed.repository,
    )


@lru_cache(4096)
def _place(
    registry_id: uuid.UUID,
    credential_id: uuid.UUID,
    patterns: tuple[str, ...],
    repository: str,
) -> Place:
    # As JSON, no two rights have the same text.
    right = json.dumps([str(credential_id), sorted(patterns), repository])
    digest = hashlib.blake2b(right.encode(), digest_size=16)
    return Place(str(registry_id), digest.hexdigest())
