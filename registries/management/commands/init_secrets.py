"""``manage.py init_secrets DIR``: every key and password of an installation."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from licenses.files.license_keys import generate_key
from portal.crypto.pem import private_pem, public_pem
from registries.tokens.signing_keys import LEAF_LIFETIME, create_signing_material

# Not beside the others, so that nobody hands it to a server with them.
ROOT_KEY = "offline/root.key"
POSTGRES_PORT, VALKEY_PORT = 5432, 6379


@dataclass(frozen=True, slots=True)
class Set:
    """Files that belong together: all of them are made at once, or none."""

    names: tuple[str, ...]
    make: Callable[[], Mapping[str, str]]
    # Some of them may be gone: moved away, or derived from another.
    may_be_partial: bool = False


class Command(BaseCommand):
    help = (
        "Make every key and password that Berth needs, as files of the directory that "
        "only their owner may read. Files that exist are kept, so it can be run again. "
        "See docs/operations/install.md."
    )
    # Its files are what Berth needs to start.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument(
            "--postgres",
            metavar="HOST[:PORT]",
            help="Also make a password for a new PostgreSQL, and database-url with it.",
        )
        parser.add_argument(
            "--valkey",
            metavar="HOST[:PORT]",
            help="Also make a password for a new Valkey, and redis-url with it.",
        )

    def handle(self, *args: object, **options: Any) -> None:
        directory: Path = options["directory"]
        sets = secret_sets(options["postgres"], options["valkey"])
        for files in sets:
            _refuse_partial(directory, files)
        for files in sets:
            if any((directory / name).exists() for name in files.names):
                self._say("Kept", files.names)
                continue
            made = files.make()
            for name, text in made.items():
                write_new(directory / name, text)
            self._say("Made", made)
        self._say_what_is_left(directory)

    def _say(self, what: str, names: Mapping[str, str] | tuple[str, ...]) -> None:
        self.stdout.write(f"{what} {', '.join(names)}")

    def _say_what_is_left(self, directory: Path) -> None:
        for name, content in OF_OTHERS.items():
            if not (directory / name).exists():
                self.stdout.write(f"Write {name} yourself: {content}")
        if (directory / ROOT_KEY).exists():
            self.stdout.write(
                f"Move {directory / ROOT_KEY} to a safe place, off this machine. It is "
                f"needed once in {LEAF_LIFETIME.days} days, to replace signing.pem."
            )
        self.stdout.write(
            "Back up the directory: without encryption-keys and hmac-keys, a copy of "
            "the database is of no use."
        )


OF_OTHERS = {
    "database-url": "postgresql://USER:PASSWORD@HOST/DATABASE",
    "redis-url": "rediss://:PASSWORD@HOST/0",
    "email-url": "smtp+tls://USER:PASSWORD@HOST:587, for mails to people",
}


def write_new(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        CommandError: it exists, or cannot be written. Nothing was overwritten.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        # Unlike a rename, it fails if another run was faster.
        path.hardlink_to(unfinished)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _refuse_partial(directory: Path, files: Set) -> None:
    there = [name for name in files.names if (directory / name).exists()]
    missing = [name for name in files.names if name not in there]
    if there and missing and not files.may_be_partial:
        raise CommandError(
            f"{directory / there[0]} exists, and {missing[0]}, which belongs to it, is "
            "missing. Nothing was written. Restore it, or move the other away."
        )


def secret_sets(postgres: str | None, valkey: str | None) -> list[Set]:
    """Return what is made, with passwords of servers if their addresses are given."""
    sets = [
        _one("secret-key", lambda: secrets.token_urlsafe(48)),
        _one("encryption-keys", lambda: f"k1:{_key()}"),
        _one("hmac-keys", lambda: f"k1:{_key()}"),
        _one("registry-notification-token", lambda: secrets.token_urlsafe(32)),
        _one("registry-upload-secret", lambda: secrets.token_urlsafe(32)),
        _one("metrics-token", lambda: secrets.token_urlsafe(32)),
        _one(
            "identity-keys.pem",
            lambda: private_pem(ec.generate_private_key(ec.SECP256R1())),
        ),
        Set(("signing.pem", "root.crt"), _signing),
        Set(
            ("license-root.key", "license-root.pem"), _license_root, may_be_partial=True
        ),
    ]
    if postgres:
        sets.append(
            Set(("postgres-password", "database-url"), lambda: _postgres(postgres))
        )
    if valkey:
        sets.append(Set(("valkey.conf", "redis-url"), lambda: _valkey(valkey)))
    return sets


def _one(name: str, make: Callable[[], str]) -> Set:
    return Set((name,), lambda: {name: make()})


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _signing() -> dict[str, str]:
    material = create_signing_material()
    return {
        ROOT_KEY: material.root_key_pem,
        "root.crt": material.root_pem,
        "signing.pem": material.signing_pem,
    }


def _license_root() -> dict[str, str]:
    key = generate_key()
    return {
        "license-root.key": private_pem(key),
        "license-root.pem": public_pem(key.public_key()),
    }


def _postgres(server: str) -> dict[str, str]:
    password, address = secrets.token_urlsafe(32), _at(server, POSTGRES_PORT)
    return {
        "postgres-password": password,
        "database-url": f"postgresql://berth:{password}@{address}/berth",
    }


def _valkey(server: str) -> dict[str, str]:
    password = secrets.token_urlsafe(32)
    return {
        "valkey.conf": f"requirepass {password}\n",
        "redis-url": f"redis://:{password}@{_at(server, VALKEY_PORT)}/0",
    }


def _at(server: str, port: int) -> str:
    return server if ":" in server else f"{server}:{port}"
