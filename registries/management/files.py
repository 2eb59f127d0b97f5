"""Files that a command writes for other processes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from django.core.management.base import CommandError


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write ``path`` atomically; a replaced file keeps its owner.

    Readers never see a partial file: the text is written to a new file, which then
    replaces the old one.

    Raises:
        CommandError: it cannot be written; the old file is unchanged.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            if path.exists():
                # The registry runs as another user than this command.
                before = path.stat()
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, mode)
            stream.write(text)
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
