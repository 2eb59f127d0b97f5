from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licenses.files.license_keys import generate_key, key_id
from portal.crypto.pem import private_pem, public_pem

PRIVATE, PUBLIC = "license-root.key", "license-root.pem"


class Command(BaseCommand):
    help = (
        "Create the root key of license files: license-root.key, for "
        "BERTH_LICENSE_ROOT_KEY, and license-root.pem, with which customers verify "
        "their license files."
    )
    # The checks would require the setting that this command creates.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: object, **options: Any) -> None:
        directory: Path = options["directory"]
        key = generate_key()
        public = key.public_key()
        contents = {
            directory / PRIVATE: (private_pem(key), 0o600),
            directory / PUBLIC: (public_pem(public), 0o644),
        }
        for path in contents:
            if path.exists():
                raise CommandError(f"{path} exists; nothing was written.")
        for path, (content, mode) in contents.items():
            _write(path, content, mode)
            self.stdout.write(f"Wrote {path}")
        self.stdout.write(f"Its ID in license files: {key_id(public)}")


def _write(path: Path, content: str, mode: int) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
