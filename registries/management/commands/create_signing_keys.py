from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registries.management.files import write_atomically
from registries.tokens.signing_keys import (
    SigningKeyError,
    create_signing_material,
    renew_leaf,
)

ROOT_KEY, ROOT, LEAF = "root.key", "root.crt", "signing.pem"


class Command(BaseCommand):
    help = (
        "Create the keys of registry tokens: root.key (keep it offline), root.crt "
        "(BERTH_TOKEN_ROOTS, and the private registry's rootcertbundle) and "
        "signing.pem (BERTH_TOKEN_SIGNING_KEY), which is valid for a year. --renew "
        "replaces signing.pem by a new one under the same root; registries accept it "
        "without a restart, Berth uses it after a restart."
    )
    # It creates keys that Berth needs to start, so it must run without them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("--renew", action="store_true")

    def handle(self, *args: object, **options: Any) -> None:
        directory: Path = options["directory"]
        if options["renew"]:
            _renew(directory)
            self.stdout.write(f"Wrote {directory / LEAF}")
            return
        for path in _create(directory):
            self.stdout.write(f"Wrote {path}")


def _create(directory: Path) -> list[Path]:
    material = create_signing_material()
    contents = {
        directory / ROOT_KEY: material.root_key_pem,
        directory / ROOT: material.root_pem,
        directory / LEAF: material.signing_pem,
    }
    for path in contents:
        if path.exists():
            raise CommandError(
                f"{path} exists; nothing was written. --renew replaces signing.pem."
            )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{directory}: {error.strerror}") from error
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)


def _renew(directory: Path) -> None:
    try:
        root_key = (directory / ROOT_KEY).read_text(encoding="ascii")
        root = (directory / ROOT).read_text(encoding="ascii")
        leaf = renew_leaf(root_key, root)
    except (OSError, SigningKeyError) as error:
        raise CommandError(f"The root cannot be used: {error}") from error
    write_atomically(directory / LEAF, leaf)
