"""License IDs: 27 letters and digits, as long as a KSUID, but entirely random."""

from __future__ import annotations

import re
import secrets
import string

from portal.crypto.secrets import Secret

PURPOSE = "license-id"
LENGTH = 27
_ALPHABET = string.digits + string.ascii_letters
_FORM = re.compile(rf"[0-9A-Za-z]{{{LENGTH}}}")


def generate_license_id() -> Secret:
    """Generate a license ID of about 160 random bits."""
    return Secret("".join(secrets.choice(_ALPHABET) for _ in range(LENGTH)))


def is_license_id(text: str) -> bool:
    """Return whether a text has the form of a license ID."""
    return _FORM.fullmatch(text) is not None
