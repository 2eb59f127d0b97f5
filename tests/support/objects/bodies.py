"""Bodies of objects that do not compress, and are the same in every run."""

from __future__ import annotations

import random


def random_bytes(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 -- not a secret
