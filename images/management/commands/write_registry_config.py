from __future__ import annotations

import argparse
import secrets
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from images.distribution_config import (
    FilesystemStorage,
    Notifications,
    S3Storage,
    TokenAuth,
    distribution_config,
)
from registries.management.files import write_atomically
from registries.tokens.registry_token import ISSUER
from registries.tokens.signing_keys import SigningKeyError, load_roots

STDOUT = "-"
BUNDLE = "token-roots.crt"
DIRECTORY = "/var/lib/docker-registry"
NOTIFICATIONS_PATH = "/registry-notifications"


class Command(BaseCommand):
    help = (
        "Write the private registry's whole configuration, for CNCF Distribution 2.8 "
        "and 3, and beside it the root certificates from BERTH_TOKEN_ROOTS. The file "
        "holds secrets: only its owner may read it, and that has to be the user that "
        "the registry runs as. docs/operations/private-registry.md says the rest."
    )
    # It may run where there is no database, such as in the making of an image.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "output", help="The file to write. - prints it, secrets and all."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Replace files that exist. The secret of uploads stays the same.",
        )
        _add_addresses(parser)
        _add_storage(parser)

    def handle(self, *args: object, **options: Any) -> None:
        output = None if options["output"] == STDOUT else Path(options["output"])
        bundle: Path | None = options["root_bundle"]
        files: dict[Path, tuple[str, int]] = {}
        if bundle is None:
            bundle = _bundle_beside(output)
            files[bundle] = (_roots(), 0o644)
        kept = _kept_secret(output)
        text = yaml.safe_dump(
            _config(options, bundle, kept or secrets.token_hex(32)), sort_keys=False
        )
        if output is None:
            self.stdout.write(text)
            return
        files[output] = (text, 0o600)
        self._write(files, force=options["force"])
        if kept:
            self.stdout.write("The secret of uploads is the one from before.")
        self.stdout.write("The registry reads them when it starts: restart it.")

    def _write(self, files: dict[Path, tuple[str, int]], *, force: bool) -> None:
        there = [path for path in files if path.exists()]
        if there and not force:
            raise CommandError(
                f"{there[0]} exists; nothing was written. Use --force to replace it."
            )
        for path, (text, mode) in files.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, text, mode=mode)
            except OSError as error:
                raise CommandError(
                    f"{path} cannot be written: {error.strerror}"
                ) from error
            self.stdout.write(f"Wrote {path}")


def _add_addresses(parser: CommandParser) -> None:
    parser.add_argument(
        "--addr",
        default="127.0.0.1:5000",
        help="Where the registry listens: HOST:PORT (default: %(default)s).",
    )
    parser.add_argument(
        "--realm",
        type=_web_address,
        help="Where tokens are given (default: https://BERTH_PROXY_HOST/v2/token).",
    )
    parser.add_argument(
        "--notifications-url",
        type=_web_address,
        help="Where the registry tells what happens in it (default: "
        f"BERTH_PORTAL_URL with {NOTIFICATIONS_PATH}).",
    )
    parser.add_argument(
        "--root-bundle",
        type=Path,
        help="The root certificates that the registry has already (default: those of "
        f"BERTH_TOKEN_ROOTS, written to {BUNDLE} beside the output).",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="Refuse pushes and deletions."
    )


def _add_storage(parser: CommandParser) -> None:
    parser.add_argument(
        "--storage",
        choices=["filesystem", "s3"],
        default="filesystem",
        help="Where images are kept (default: %(default)s).",
    )
    parser.add_argument(
        "--directory",
        help=f"Of a file system, the directory (default: {DIRECTORY}). Of S3, what "
        "all keys begin with (default: nothing).",
    )
    parser.add_argument("--s3-bucket", default="")
    parser.add_argument("--s3-region", default="")
    parser.add_argument(
        "--s3-endpoint",
        type=_web_address,
        help="The address of a storage that is not Amazon's.",
    )
    parser.add_argument(
        "--s3-encrypt",
        action="store_true",
        help="Have S3 encrypt, with its own key or that of --s3-kms-key-id.",
    )
    parser.add_argument("--s3-kms-key-id", default="")


def _web_address(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise argparse.ArgumentTypeError(
            f"{text!r} does not begin with https:// or http://."
        )
    return text


def _config(options: dict[str, Any], bundle: Path, http_secret: str) -> dict[str, Any]:
    return distribution_config(
        addr=options["addr"],
        http_secret=http_secret,
        storage=_storage(options),
        token=TokenAuth(
            realm=options["realm"] or _realm(),
            service=settings.BERTH_REGISTRY_SERVICE,
            issuer=ISSUER,
            root_bundle=bundle,
        ),
        notifications=Notifications(
            options["notifications_url"] or _notifications_url(), _notification_token()
        ),
        read_only=options["read_only"],
    )


def _storage(options: dict[str, Any]) -> FilesystemStorage | S3Storage:
    if options["storage"] == "filesystem":
        stray = [name for name, value in options.items() if "s3_" in name and value]
        if stray:
            raise CommandError("The options of S3 need --storage s3.")
        return FilesystemStorage(Path(options["directory"] or DIRECTORY))
    if not options["s3_bucket"] or not options["s3_region"]:
        raise CommandError("--storage s3 needs --s3-bucket and --s3-region.")
    if options["s3_kms_key_id"] and not options["s3_encrypt"]:
        raise CommandError("--s3-kms-key-id needs --s3-encrypt.")
    return S3Storage(
        bucket=options["s3_bucket"],
        region=options["s3_region"],
        endpoint=options["s3_endpoint"] or "",
        directory=options["directory"] or "",
        encrypt=options["s3_encrypt"],
        kms_key_id=options["s3_kms_key_id"],
    )


def _realm() -> str:
    if not settings.BERTH_PROXY_HOST:
        raise CommandError(
            "Set BERTH_PROXY_HOST, or say with --realm where registry tokens are given."
        )
    return f"https://{settings.BERTH_PROXY_HOST}/v2/token"


def _notifications_url() -> str:
    if not settings.BERTH_PORTAL_URL:
        raise CommandError(
            "Set BERTH_PORTAL_URL to the portal's address, or name it with "
            f"--notifications-url https://PORTAL_HOST{NOTIFICATIONS_PATH}"
        )
    return f"{settings.BERTH_PORTAL_URL.rstrip('/')}{NOTIFICATIONS_PATH}"


def _notification_token() -> str:
    token: str = settings.BERTH_REGISTRY_NOTIFICATION_TOKEN
    if not token:
        raise CommandError(
            "Set BERTH_REGISTRY_NOTIFICATION_TOKEN, which the registry and the portal "
            "share. A new one: openssl rand -base64 32"
        )
    return token


def _bundle_beside(output: Path | None) -> Path:
    if output is None:
        raise CommandError("To print the configuration, name --root-bundle.")
    return output.with_name(BUNDLE)


def _roots() -> str:
    roots: str = settings.BERTH_TOKEN_ROOTS
    if not roots:
        raise CommandError(
            "Set BERTH_TOKEN_ROOTS to the root certificates, which manage.py "
            "create_signing_keys makes, or name their file with --root-bundle."
        )
    try:
        load_roots(roots)
    except SigningKeyError as error:
        raise CommandError(str(error)) from error
    return f"{roots.strip()}\n"


def _kept_secret(output: Path | None) -> str | None:
    if output is None or not output.exists():
        return None
    try:
        found = yaml.safe_load(output.read_text(encoding="utf-8"))
        return str(found["http"]["secret"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        # From None: what is in the file may be secret.
        raise CommandError(
            f"{output} is there and is no configuration that this command wrote. "
            "Move it away, or write to another file."
        ) from None
