from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from portal.crypto.fields import EncryptedField
from teams.models.teams import User

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class StoredKey(str):
    """A session's key as the database has it: a digest, which opens no session."""

    __slots__ = ()


def stored_key(key: str) -> StoredKey:
    """Return what the database has instead of a session's key."""
    # 165 random bits, so neither a secret nor a slow hash is needed.
    return StoredKey(hashlib.sha256(key.encode()).hexdigest())


class SessionKeyField(_CharField):
    """Stores the SHA-256 digest of a session's key, which is the cookie's value.

    Look-ups take the key, or the ``StoredKey`` that a row was read with.
    """

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, StoredKey):
            return value
        return stored_key(str(value))

    def from_db_value(self, value: str | None, *_: object) -> StoredKey | None:
        return None if value is None else StoredKey(value)


class Session(AbstractBaseSession):
    """A browser's session; whoever reads this table cannot enter it."""

    session_key = SessionKeyField(max_length=64, primary_key=True)
    # While somebody resets a password or sets up an app, it holds what that needs.
    session_data = EncryptedField()  # type: ignore[assignment]  # not plain text
    # Null until somebody has signed in.
    user = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="sessions"
    )
