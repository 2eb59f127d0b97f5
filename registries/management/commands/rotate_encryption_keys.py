from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licenses.services import rehash_license_ids
from portal.crypto.fields import reencrypt_all
from portal.crypto.keyring import KeyringError
from teams.second_factor import reencrypt_second_factors


class Command(BaseCommand):
    help = (
        "Re-encrypt every secret with the first key of BERTH_ENCRYPTION_KEYS, and "
        "renew license look-ups with the first key of BERTH_HMAC_KEYS. Safe while "
        "Berth is running, and safe to repeat. Remove an old encryption key only after "
        "this has succeeded. API tokens and pull credentials cannot be renewed: keep "
        "an old HMAC key until those made with it are gone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch-size", type=int, default=500)

    def handle(self, *args: object, **options: int) -> None:
        totals: dict[str, int] = {}
        try:
            for column, changed in reencrypt_all(options["batch_size"]):
                totals[column] = totals.get(column, 0) + changed
            second_factors = reencrypt_second_factors(options["batch_size"])
            rehashed = rehash_license_ids(options["batch_size"])
        except KeyringError as error:
            raise CommandError(
                f"{error} What is already re-encrypted remains valid; add the key and "
                "run this again."
            ) from error
        for column, changed in totals.items():
            self.stdout.write(f"{column}: {changed} re-encrypted")
        self.stdout.write(f"second factors: {second_factors} re-encrypted")
        self.stdout.write(f"license look-ups: {rehashed} renewed")
