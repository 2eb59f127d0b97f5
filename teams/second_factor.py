"""Second factors: who has one, and how their secrets are encrypted."""

from __future__ import annotations

from typing import Any, cast

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Model, QuerySet

from portal.crypto.fields import encryption_keyring
from teams.models import User

# Bound to a purpose, not to a row: allauth encrypts before the row exists.
SECOND_FACTOR_DATA = "mfa.authenticator"
# Where allauth stores the secrets of authenticator apps and recovery codes.
ENCRYPTED_KEYS = ("secret", "seed")


def second_factors() -> QuerySet[Model]:
    """Return all second factors; recovery codes do not count."""
    authenticators = cast("QuerySet[Model]", Authenticator.objects.all())
    return authenticators.exclude(type=Authenticator.Type.RECOVERY_CODES)


def has_second_factor(user: User) -> bool:
    """Return whether the user has an authenticator app or a security key."""
    return second_factors().filter(user_id=user.pk).exists()


def reencrypt_second_factors(batch_size: int = 500) -> int:
    """Re-encrypt secrets not written with the current key; return how many.

    Raises:
        KeyringError: a secret needs a key that is not in the keyring; earlier batches
            are kept.
    """
    changed = 0
    last_pk = 0
    while True:
        with transaction.atomic():
            rows = Authenticator.objects.select_for_update().order_by("pk")
            batch = list(rows.filter(pk__gt=last_pk)[:batch_size])
            changed += sum(_reencrypt(authenticator) for authenticator in batch)
        if not batch:
            return changed
        last_pk = batch[-1].pk


def _reencrypt(authenticator: Any) -> int:
    keyring = encryption_keyring()
    old = {
        name: authenticator.data[name]
        for name in ENCRYPTED_KEYS
        if name in authenticator.data
        and not keyring.is_current(authenticator.data[name])
    }
    for name, stored in old.items():
        plaintext = keyring.decrypt(stored, associated_data=SECOND_FACTOR_DATA)
        authenticator.data[name] = keyring.encrypt(
            plaintext, associated_data=SECOND_FACTOR_DATA
        )
    if old:
        authenticator.save(update_fields=["data"])
    return len(old)
