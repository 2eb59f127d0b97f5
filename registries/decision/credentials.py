"""What a client presents, or a registry token names, as the right to an image."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from enum import StrEnum

from portal.crypto.secrets import Secret


@dataclass(frozen=True, slots=True)
class PresentedCredential:
    """A username and password, as ``docker login`` sends them."""

    username: str
    password: Secret

    @property
    def may_be_account_password(self) -> bool:
        """Return whether it is worth hashing; a license ID may be a password too."""
        is_generated = self.password.reveal().startswith("berth_")
        return "@" in self.username and not is_generated


CURRENT_ID = 0


class SubjectKind(StrEnum):
    LICENSE = "license"
    PULL_CREDENTIAL = "pull-credential"
    API_TOKEN = "api-token"  # noqa: S105 -- a kind
    USER = "user"


@dataclass(frozen=True, slots=True)
class Subject:
    """An identified holder, as the ``sub`` of a registry token names it.

    ``version`` counts the IDs of a license: each ends by itself. CURRENT_ID stands for
    the one that the license has now; no registry token names it.
    """

    kind: SubjectKind
    id: uuid.UUID
    version: int = 1

    def __str__(self) -> str:
        version = f".{self.version}" if self.version > 1 else ""
        return f"{self.kind}:{self.id}{version}"

    @classmethod
    def parse(cls, text: str) -> Subject | None:
        """Read ``<kind>:<uuid>``, or ``license:<uuid>.<version>`` from version 2 on.

        None for anything else, and for the anonymous "".
        """
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        return cls(
            SubjectKind(match["kind"] or "license"),
            uuid.UUID(match["id"] or match["license"]),
            int(match["version"] or 1),
        )


_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FORM = re.compile(
    rf"(?P<kind>{'|'.join(SubjectKind)}):(?P<id>{_ID})"
    rf"|license:(?P<license>{_ID})\.(?P<version>[2-9]|[1-9][0-9]{{1,8}})"
)
PullCredential = PresentedCredential | Subject | None
