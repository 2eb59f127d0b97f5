"""The pull credential that a command presents instead of the license ID."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from installer.errors import UsageError
from installer.files import write_file
from installer.license.file import License
from installer.net.portal import Portal

VARIABLE: Final = "BERTH_PULL_CREDENTIAL"
_FORM: Final = re.compile(r"berth_pull_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")
_LENGTH: Final = 73
# What is left of a credential's lifetime when it is renewed: one third.
_THIRD: Final = 3


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens the portal and the registries, and the file that it can replace.

    Without ``file``, it is in the license file, or if ``is_given`` in the environment.
    """

    text: str = field(repr=False)
    file: Path | None = None
    is_given: bool = False

    @property
    def is_pull_credential(self) -> bool:
        return _FORM.fullmatch(self.text) is not None


def secret_of(options: argparse.Namespace, license: License) -> Secret:
    """Return the secret of the option, the environment or the license file.

    Raises:
        UsageError: what should be a pull credential is none.
    """
    if options.credential_file is not None:
        text = _read(options.credential_file)
        return Secret(
            _checked(text, str(options.credential_file)), options.credential_file
        )
    if text := os.environ.get(VARIABLE, ""):
        return Secret(_checked(text, VARIABLE), is_given=True)
    return Secret(license.license_id)


def with_secret(license: License, secret: Secret) -> License:
    """Return the license as one whose ID is the secret to present."""
    return replace(license, license_id=secret.text)


def renewed(portal: Portal, secret: Secret) -> tuple[Secret, list[str]]:
    """Replace a pull credential that ends soon, if the vendor lets its customers.

    Returns the secret to go on with, and notes for the user. A new one is in the file
    before anything else is done with it.
    """
    held = portal.pull_credential() if secret.is_pull_credential else None
    if held is None or held.expires_at is None:
        return secret, []
    lifetime = held.expires_at - held.created_at
    if held.expires_at - datetime.now(UTC) > lifetime / _THIRD:
        return secret, []
    at = f"{held.expires_at:%Y-%m-%d %H:%M} UTC"
    ends = f"The pull credential {held.name!r} ends on {at}"
    if not held.can_rotate:
        return secret, [f"{ends}. Ask your vendor for another one."]
    if secret.is_given:
        advice = f"to have it replaced, or replace {VARIABLE} yourself."
        return secret, [f"{ends}. Give it with --credential-file {advice}"]
    # The same each time, so that a lost answer can be asked for again.
    key = hashlib.sha256(b"sync\0" + secret.text.encode()).hexdigest()
    new = replace(
        secret, text=_checked(portal.rotate_pull_credential(key), portal.host)
    )
    if new.file is not None:
        mode = new.file.stat().st_mode & 0o777
        write_file(new.file.resolve(), f"{new.text}\n".encode(), mode)
    return new, [
        f"{ends}, so it was replaced. Run secret or patch again within a week."
    ]


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(1000)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "no_credential"
        ) from error
    except UnicodeDecodeError:
        return ""


def _checked(text: str, where: str) -> str:
    if not _FORM.fullmatch(text.strip()):
        raise UsageError(
            f"{where} has no pull credential, which begins with berth_pull_ and has "
            f"{_LENGTH} characters.",
            "no_credential",
        )
    return text.strip()
