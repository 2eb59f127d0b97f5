"""Keyrings for encryption and for look-ups: keys by ID, of which the first writes.

Stored form of an encrypted value: ``v1:<key id>:<base64 of nonce + ciphertext>``,
AES-256-GCM with a 96-bit random nonce. The associated data names the table, column and
row, so that a value copied to another row does not decrypt.

Stored form of a look-up digest: ``<key id>:<HMAC-SHA256 in hex>``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32
VERSION = "v1"
_KEY_ID = re.compile(r"[a-zA-Z0-9_-]{1,32}")


class KeyringError(Exception):
    """A key is missing, wrong or malformed, or a stored value was tampered with.

    The message never contains a key, plaintext or ciphertext.
    """


class _Keys:
    """Keys by ID, in the configured order; the first one writes."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise KeyringError("A keyring needs at least one key.")
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise KeyringError(
                    f"Key ID {key_id!r} must match [a-zA-Z0-9_-]{{1,32}}."
                )
            if len(key) != KEY_BYTES:
                raise KeyringError(f"Key {key_id!r} is {len(key)} bytes, not 32.")
        self._keys = dict(keys)
        self.writing_id = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``id:base64[,id:base64…]``.

        Raises:
            KeyringError: an entry is malformed, or an ID appears twice.
        """
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(text.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if not colon or not key:
                raise KeyringError(f"Key number {number} is not in the form id:base64.")
            if key_id in keys:
                raise KeyringError(f"Key ID {key_id!r} appears twice.")
            keys[key_id] = key
        return cls(keys)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self._keys)}>"


class Keyring(_Keys):
    """Encrypts with the first key, and decrypts with the key that wrote the value."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        super().__init__(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in self._keys.items()}

    def encrypt(self, plaintext: str, *, associated_data: str) -> str:
        """Return the stored form of ``plaintext``, bound to ``associated_data``."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.writing_id].encrypt(
            nonce, plaintext.encode(), associated_data.encode()
        )
        encoded = base64.b64encode(nonce + sealed).decode()
        return f"{VERSION}:{self.writing_id}:{encoded}"

    def decrypt(self, stored: str, *, associated_data: str) -> str:
        """Return the plaintext of a stored value.

        Raises:
            KeyringError: the form is unknown, the key is not in the keyring, or the
                value was not written by that key for this row.
        """
        version, key_id, encoded = _split(stored)
        cipher = self._ciphers.get(key_id)
        if version != VERSION or cipher is None:
            raise KeyringError(
                f"No key {key_id!r} for {associated_data} in the keyring."
            )
        try:
            sealed = base64.b64decode(encoded, validate=True)
            plaintext = cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated_data.encode()
            )
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise KeyringError(
                f"{associated_data} was not written by key {key_id!r} for this row."
            ) from error
        return plaintext.decode()

    def is_current(self, stored: str) -> bool:
        """Return whether the first key wrote this value."""
        return _split(stored)[:2] == (VERSION, self.writing_id)


class LookupKeyring(_Keys):
    """HMAC digests of high-entropy secrets, to look up a row by its secret."""

    def digest(self, text: str, *, purpose: str) -> str:
        """Return the digest to store, computed with the first key."""
        return self._digest(self.writing_id, text, purpose)

    def candidates(self, text: str, *, purpose: str) -> list[str]:
        """Return the digests with all keys, for a look-up during key rotation."""
        return [self._digest(key_id, text, purpose) for key_id in self._keys]

    def matches(self, stored: str, text: str, *, purpose: str) -> bool:
        """Compare in constant time. A digest of an unknown key never matches."""
        key_id = stored.partition(":")[0]
        if key_id not in self._keys:
            return False
        return hmac.compare_digest(stored, self._digest(key_id, text, purpose))

    def is_current(self, stored: str) -> bool:
        """Return whether the first key computed this digest."""
        return stored.partition(":")[0] == self.writing_id

    def _digest(self, key_id: str, text: str, purpose: str) -> str:
        message = f"{purpose}\0{text}".encode()
        digest = hmac.new(self._keys[key_id], message, hashlib.sha256).hexdigest()
        return f"{key_id}:{digest}"


def _split(stored: str) -> tuple[str, str, str]:
    version, _, rest = stored.partition(":")
    key_id, _, encoded = rest.partition(":")
    return version, key_id, encoded
