"""Rows of licenses in the text form of COPY, made in microseconds each."""

from __future__ import annotations

import random
import secrets
import string
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from licenses.license_id import LENGTH, PURPOSE
from licenses.models import License
from portal.crypto.fields import encryption_keyring, lookup_keyring

COLUMNS = (
    *("id", "team_id", "created_at", "updated_at"),
    *("customer_id", "application_id", "channel_id"),
    *("type", "expires_at", "revoked_at", "revoke_reason", "sequence"),
    *("field_values", "license_id", "license_id_digest", "id_version"),
)
_NULL = "\\N"
# licenses.license_id draws each character separately, which takes minutes for a
# million IDs. Here some characters may be a little more frequent.
_ALPHABET = (string.digits + string.ascii_letters).encode()
_TO_ALPHABET = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))


@dataclass(frozen=True, slots=True)
class Holder:
    """The keys in a license row of its team, customer, application and channel."""

    team_id: uuid.UUID
    customer_id: uuid.UUID
    application_id: uuid.UUID
    channel_id: uuid.UUID


def license_rows(
    holders: Sequence[Holder],
    count: int,
    values: Callable[[int], str] = lambda _number: "{}",
    created_at: Callable[[int], str] | None = None,
) -> Iterator[str]:
    """Yield ``count`` lines for COPY, taking the holders in turn.

    About five in a hundred licenses have expired and three are revoked. ``values``
    gives the field values of each, and ``created_at`` when it was issued, if that is
    not now. No value contains a character that COPY requires to be escaped.
    """
    end = _Ends()
    identity = _Identities()
    for number in range(count):
        holder = holders[number % len(holders)]
        pk = uuid.uuid4()
        sealed, digest = identity.draw(pk)
        expires_at, revoked_at, reason = end.draw()
        created = created_at(number) if created_at else end.now
        yield (
            f"{pk}\t{holder.team_id}\t{created}\t{created}\t{holder.customer_id}\t"
            f"{holder.application_id}\t{holder.channel_id}\tpaid\t{expires_at}\t"
            f"{revoked_at}\t{reason}\t1\t{values(number)}\t{sealed}\t{digest}\t1\n"
        )


class _Ends:
    """Draws expiry dates, and revocation dates with reasons."""

    def __init__(self) -> None:
        now = timezone.now()
        days = [str(now + timedelta(days=day)) for day in range(-365, 730)]
        self.now = str(now)
        self._past, self._future = days[:365], days[366:]

    def draw(self) -> tuple[str, str, str]:
        chance = random.random()
        if chance < 0.05:
            return random.choice(self._past), _NULL, ""
        if chance > 0.97:
            return random.choice(self._future), self._past[-30], "Seeded as revoked"
        return random.choice(self._future), _NULL, ""


class _Identities:
    """Draws license IDs in their stored forms: encrypted, and as a digest."""

    def __init__(self) -> None:
        self._field = License._meta.get_field("license_id")
        self._encryption = encryption_keyring()
        self._lookup = lookup_keyring()

    def draw(self, pk: uuid.UUID) -> tuple[str, str]:
        text = secrets.token_bytes(LENGTH).translate(_TO_ALPHABET).decode()
        bound_to = self._field.associated_data(pk)
        sealed = self._encryption.encrypt(text, associated_data=bound_to)
        return sealed, self._lookup.digest(text, purpose=PURPOSE)
