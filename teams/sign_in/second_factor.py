"""Whether somebody signs in with more than a password."""

from __future__ import annotations

from typing import Any, cast

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Model, QuerySet

from portal.crypto.fields import encryption_keyring
from teams.models import User

# Bound to a purpose and not to a row: allauth encrypts before the row is there.
SECOND_FACTOR_DATA = "mfa.authenticator"
# Where allauth keeps the secret of an authenticator app and of recovery codes.
ENCRYPTED_KEYS = ("secret", "seed")


def second_factors() -> QuerySet[Model]:
    """Return what counts as a second factor: recovery codes alone do not."""
    authenticators = cast("QuerySet[Model]", Authenticator.objects.all())
    return authenticators.exclude(type=Authenticator.Type.RECOVERY_CODES)


def has_second_factor(user: User) -> bool:
    """Tell whether the user has an authenticator app or a security key."""
    return second_factors().filter(user_id=user.pk).exists()


def reencrypt_second_factors(batch_size: int = 500) -> int:
    """Re-encrypt secrets that the writing key did not write; return how many.

    Raises:
        KeyringError: a secret needs a key that is not in the keyring; batches before
            it stay done.
    """
    changed = 0
    last_pk = 0
    while True:
        with transaction.atomic():
            rows = Authenticator.objects.select_for_update().order_by("pk")
            batch = list(rows.filter(pk__gt=last_pk)[:batch_size])
            changed += sum(_reencrypt(each) for each in batch)
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
