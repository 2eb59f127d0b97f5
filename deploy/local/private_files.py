"""Files and directories that only their owner may read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def private_directory(path: Path) -> Path:
    """Create ``path`` for its owner only; an existing one stays unchanged."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private(path: Path, text: str) -> Path:
    """Write ``path`` with mode 0600, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return unfinished.replace(path)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in ``path``; create it the first time."""
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding="utf-8")
