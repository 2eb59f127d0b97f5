"""The text of a pull credential: ``berth_pull_<key>_<secret><checksum>``.

The checksum lets a secret scanner tell a real secret from look-alikes without asking
anybody: docs/reference/secret-scanning.md.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from dataclasses import dataclass

from portal.crypto.secrets import Secret

PURPOSE = "pull-credential"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_LENGTH = 6
_FORM = re.compile(r"berth_pull_([0-9A-Za-z]{12})_[0-9A-Za-z]{49}")


@dataclass(frozen=True, slots=True)
class NewPullCredential:
    """A pull credential just generated, the only time that its text is known."""

    key: str
    text: Secret


def generate_pull_credential() -> NewPullCredential:
    """Generate a credential with a secret of 43 random characters, about 256 bits."""
    key = _random(12)
    text = f"berth_pull_{key}_{_random(43)}"
    return NewPullCredential(key=key, text=Secret(text + checksum(text)))


def pull_credential_key(presented: str) -> str | None:
    """Return the key in a credential's text; None if it is not such a text.

    The key names the credential to people, and is no secret.
    """
    match = _FORM.fullmatch(presented)
    if match is None:
        return None
    text, end = presented[:-_CHECKSUM_LENGTH], presented[-_CHECKSUM_LENGTH:]
    return match[1] if checksum(text) == end else None


def checksum(text: str) -> str:
    """Return the CRC-32 of a text as six digits to the base of 62."""
    number = zlib.crc32(text.encode("ascii"))
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
