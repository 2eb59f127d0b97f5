"""The installer's wheel, which an operator may have customers download here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks

# As pip wants it: the name, the version and what it runs on.
_FILE_NAME = re.compile(r"berth_installer-[0-9][0-9A-Za-z.+_]*-py3-none-any\.whl")


@dataclass(frozen=True, slots=True)
class InstallerWheel:
    """The wheel's file name, which contains its version, and its bytes."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Return what stands in the address: other bytes have another address."""
        return self.sha256[:16]


def installer_wheel() -> InstallerWheel | None:
    """Return the wheel that ``BERTH_INSTALLER_WHEEL`` names, or None without one.

    The file is read each time, because the operator may replace it.
    """
    path = Path(settings.BERTH_INSTALLER_WHEEL)
    if not _FILE_NAME.fullmatch(path.name):
        return None
    try:
        return InstallerWheel(path.name, path.read_bytes())
    except OSError:
        return None


@checks.register()
def check_installer_wheel(**kwargs: Any) -> list[checks.CheckMessage]:
    """Warn an operator whose setting names no wheel: pages then do not mention it."""
    path = settings.BERTH_INSTALLER_WHEEL
    if not path or installer_wheel() is not None:
        return []
    return [
        checks.Warning(
            f"BERTH_INSTALLER_WHEEL names no readable wheel of the installer: {path}.",
            hint="Build one with `pip wheel ./installer --no-deps --wheel-dir "
            "DIRECTORY`, and name the file berth_installer-….whl that this writes.",
            id="customers.W001",
        )
    ]
