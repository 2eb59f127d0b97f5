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
MIN_SECRET_LENGTH = 32


class Command(BaseCommand):
    help = (
        "Write the private registry's whole configuration, for CNCF Distribution 2.8 "
        "and 3, and next to it the root certificates from BERTH_TOKEN_ROOTS. The file "
        "contains secrets: only its owner may read it, and the registry must run as "
        "that user. See docs/operations/private-registry.md."
    )
    # It may run without a database, for instance while an image is built.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "output", help="The file to write. - prints it, including the secrets."
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Replace existing files. Without BERTH_REGISTRY_UPLOAD_SECRET, the "
            "upload secret of the file stays the same.",
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
        upload_secret = _configured_secret() or kept or secrets.token_hex(32)
        text = yaml.safe_dump(_config(options, bundle, upload_secret), sort_keys=False)
        if output is None:
            self.stdout.write(text)
            return
        files[output] = (text, 0o600)
        self._write(files, force=options["force"])
        if upload_secret == kept:
            self.stdout.write("The upload secret was kept.")
        self.stdout.write("Restart the registry: it reads these files at start.")

    def _write(self, files: dict[Path, tuple[str, int]], *, force: bool) -> None:
        existing = [path for path in files if path.exists()]
        if existing and not force:
            raise CommandError(
                f"{existing[0]} exists; nothing was written. Use --force to replace it."
            )
        for path, (text, mode) in files.items():
            write_atomically(path, text, mode=mode)
            self.stdout.write(f"Wrote {path}")


def _add_addresses(parser: CommandParser) -> None:
    parser.add_argument(
        "--addr",
        default="127.0.0.1:5000",
        help="Address to listen on: HOST:PORT (default: %(default)s).",
    )
    parser.add_argument(
        "--realm",
        type=_web_address,
        help="URL of the token server (default: https://BERTH_PROXY_HOST/v2/token).",
    )
    parser.add_argument(
        "--notifications-url",
        type=_web_address,
        help="URL that receives the registry's notifications (default: "
        f"BERTH_PORTAL_URL with {NOTIFICATIONS_PATH}).",
    )
    parser.add_argument(
        "--root-bundle",
        type=Path,
        help="Root certificates that the registry already has (default: those of "
        f"BERTH_TOKEN_ROOTS, written to {BUNDLE} next to the output).",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="Refuse pushes and deletions."
    )


def _add_storage(parser: CommandParser) -> None:
    parser.add_argument(
        "--storage",
        choices=["filesystem", "s3"],
        default="filesystem",
        help="Where images are stored (default: %(default)s).",
    )
    parser.add_argument(
        "--directory",
        help=f"For a file system, the directory (default: {DIRECTORY}). For S3, the "
        "prefix of all keys (default: none).",
    )
    parser.add_argument("--s3-bucket", default="")
    parser.add_argument("--s3-region", default="")
    parser.add_argument(
        "--s3-endpoint",
        type=_web_address,
        help="URL of a storage other than Amazon's.",
    )
    parser.add_argument(
        "--s3-encrypt",
        action="store_true",
        help="Let S3 encrypt, with its own key or that of --s3-kms-key-id.",
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
            raise CommandError("S3 options need --storage s3.")
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
            "Set BERTH_PROXY_HOST, or give the token server's URL with --realm."
        )
    return f"https://{settings.BERTH_PROXY_HOST}/v2/token"


def _notifications_url() -> str:
    if not settings.BERTH_PORTAL_URL:
        raise CommandError(
            "Set BERTH_PORTAL_URL to the portal's URL, or use "
            f"--notifications-url https://PORTAL_HOST{NOTIFICATIONS_PATH}"
        )
    return f"{settings.BERTH_PORTAL_URL.rstrip('/')}{NOTIFICATIONS_PATH}"


def _notification_token() -> str:
    token: str = settings.BERTH_REGISTRY_NOTIFICATION_TOKEN
    if not token:
        raise CommandError(
            "Set BERTH_REGISTRY_NOTIFICATION_TOKEN, which the registry and the portal "
            "share. To create one: openssl rand -base64 32"
        )
    return token


def _bundle_beside(output: Path | None) -> Path:
    if output is None:
        raise CommandError("To print the configuration, give --root-bundle.")
    return output.with_name(BUNDLE)


def _roots() -> str:
    roots: str = settings.BERTH_TOKEN_ROOTS
    if not roots:
        raise CommandError(
            "Set BERTH_TOKEN_ROOTS to the root certificates made by manage.py "
            "create_signing_keys, or give their file with --root-bundle."
        )
    try:
        load_roots(roots)
    except SigningKeyError as error:
        raise CommandError(str(error)) from error
    return f"{roots.strip()}\n"


def _configured_secret() -> str:
    secret: str = settings.BERTH_REGISTRY_UPLOAD_SECRET
    if secret and len(secret) < MIN_SECRET_LENGTH:
        raise CommandError(
            "BERTH_REGISTRY_UPLOAD_SECRET is too short. To create one: openssl rand "
            "-base64 32"
        )
    return secret


def _kept_secret(output: Path | None) -> str | None:
    if output is None or not output.exists():
        return None
    try:
        config = yaml.safe_load(output.read_text(encoding="utf-8"))
        return str(config["http"]["secret"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        # From None: the file may contain secrets.
        raise CommandError(
            f"{output} exists and was not written by this command. Move it away, or "
            "write to another file."
        ) from None
