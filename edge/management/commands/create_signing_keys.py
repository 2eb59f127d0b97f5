from __future__ import annotations

import os
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from edge.token.keys import create_signing_material


class Command(BaseCommand):
    help = (
        "Create the keys of registry tokens: root.key (keep it offline), root.crt "
        "(BERTH_TOKEN_ROOTS, and the private registry's rootcertbundle) and "
        "signing.pem (BERTH_TOKEN_SIGNING_KEY)."
    )
    # It makes what the edge cannot start without, so it needs no checks of its own.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: object, **options: Path) -> None:
        directory = options["directory"]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        material = create_signing_material()
        contents = {
            "root.key": material.root_key_pem,
            "root.crt": material.root_pem,
            "signing.pem": material.signing_pem,
        }
        for name in contents:
            if (directory / name).exists():
                raise CommandError(f"{directory / name} exists; nothing was written.")
        for name, content in contents.items():
            _write_private(directory / name, content)
            self.stdout.write(f"Wrote {directory / name}")


def _write_private(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
