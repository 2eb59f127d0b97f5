"""The model field for secrets: assign a Secret, read a SealedSecret, never filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Never

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models, transaction

from portal.crypto.keyring import Keyring, LookupKeyring
from portal.crypto.secrets import Secret


def encryption_keyring() -> Keyring:
    """Return the keyring of ``BERTH_ENCRYPTION_KEYS``."""
    return _parse_encryption_keys(settings.BERTH_ENCRYPTION_KEYS)


def lookup_keyring() -> LookupKeyring:
    """Return the keyring of ``BERTH_HMAC_KEYS``."""
    return _parse_lookup_keys(settings.BERTH_HMAC_KEYS)


_parse_encryption_keys: Callable[[str], Keyring] = lru_cache(Keyring.parse)
_parse_lookup_keys: Callable[[str], LookupKeyring] = lru_cache(LookupKeyring.parse)


@dataclass(frozen=True, slots=True, repr=False)
class SealedSecret:
    """A stored secret, decrypted only on request."""

    stored: str
    associated_data: str

    def reveal(self) -> str:
        """Decrypt and return the secret.

        Raises:
            KeyringError: the key is missing or wrong, or the value is another row's.
        """
        return encryption_keyring().decrypt(
            self.stored, associated_data=self.associated_data
        )

    def __repr__(self) -> str:
        return f"<SealedSecret {self.associated_data}>"


class _EncryptedAttribute:
    def __init__(self, field: EncryptedField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.field.attname]
        if isinstance(value, str):
            return SealedSecret(value, self.field.associated_data(instance.pk))
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


if TYPE_CHECKING:
    _TextField = models.TextField[Secret | SealedSecret | None, SealedSecret]
else:
    _TextField = models.TextField


class EncryptedField(_TextField):
    """Text encrypted at rest with AES-256-GCM and bound to its row.

    Assign a :class:`Secret`; it is encrypted on save. Reading returns a
    :class:`SealedSecret`. The primary key must be known before the insert, as with a
    UUID default. All look-ups except ``isnull`` raise FieldError.
    """

    # The attribute's types for the type checker.
    _pyi_private_set_type: Secret | SealedSecret  # type: ignore[assignment]  # not text
    _pyi_private_get_type: SealedSecret  # type: ignore[assignment]  # not text

    def associated_data(self, pk: object) -> str:
        """Return the table, column and row that a value belongs to."""
        return f"{self.model._meta.label_lower}.{self.name}:{pk}"

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False
    ) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _EncryptedAttribute(self))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Secret):
            value = encryption_keyring().encrypt(
                value.reveal(), associated_data=self.associated_data(model_instance.pk)
            )
            model_instance.__dict__[self.attname] = value
        return value

    def get_prep_value(self, value: Any) -> str | None:
        if value is None or (isinstance(value, str) and value.startswith("v1:")):
            return value
        raise TypeError(f"Assign a Secret to {self.name} of an instance, and save it.")

    def to_python(self, value: Any) -> Any:
        return value

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        if not value and not self.blank:
            self.validate("", model_instance)
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        return _refuse_lookup


def _refuse_lookup(*_args: object) -> Never:
    raise FieldError("Encrypted columns cannot be searched; use the look-up digest.")


def reencrypt_all(batch_size: int = 500) -> Iterator[tuple[str, int]]:
    """Re-encrypt all values not written with the current key, in batches.

    Yields ``(table.column, rows changed)`` after each batch. A batch's rows are locked,
    so that a concurrent save is never overwritten.

    Raises:
        KeyringError: a value needs a key that is not in the keyring; batches already
            yielded are kept.
    """
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedField):
                yield from _reencrypt_column(model, field, batch_size)


def _reencrypt_column(
    model: type[models.Model], field: EncryptedField, batch_size: int
) -> Iterator[tuple[str, int]]:
    label = f"{model._meta.label_lower}.{field.name}"
    last_pk: object = None
    while True:
        with transaction.atomic():
            rows = model._base_manager.select_for_update().order_by("pk")
            if last_pk is not None:
                rows = rows.filter(pk__gt=last_pk)
            batch = list(rows.values_list("pk", field.attname)[:batch_size])
            changed = sum(_reencrypt_row(model, field, *row) for row in batch)
        if not batch:
            return
        last_pk = batch[-1][0]
        yield label, changed


def _reencrypt_row(
    model: type[models.Model], field: EncryptedField, pk: object, stored: str | None
) -> bool:
    keyring = encryption_keyring()
    if stored is None or keyring.is_current(stored):
        return False
    associated_data = field.associated_data(pk)
    plaintext = keyring.decrypt(stored, associated_data=associated_data)
    resealed = keyring.encrypt(plaintext, associated_data=associated_data)
    model._base_manager.filter(pk=pk).update(**{field.attname: resealed})
    return True
