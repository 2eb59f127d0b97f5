"""Where the objects of one right to pull are kept on disk.

Nothing is found by its digest alone. Another credential, other patterns and another
repository have another place, so an old one cannot be reached from the moment that a
decision knows the change.
"""

from __future__ import annotations

import hashlib
import json
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
    # As JSON, no two rights have the same text.
    right = json.dumps(
        [
            str(registry.credential.id),
            sorted(registry.patterns),
            allowed.repository,
        ]
    )
    digest = hashlib.blake2b(right.encode(), digest_size=16)
    return Place(str(registry.id), digest.hexdigest())
