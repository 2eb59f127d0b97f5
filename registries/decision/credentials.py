"""What a client presents, or a registry token names, as the right to an image."""

from __future__ import annotations

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
        is_api_token = self.password.reveal().startswith("berth_")
        return "@" in self.username and not is_api_token


class SubjectKind(StrEnum):
    LICENSE = "license"
    API_TOKEN = "api-token"  # noqa: S105 -- a kind
    USER = "user"


@dataclass(frozen=True, slots=True)
class Subject:
    """An identified holder, as the ``sub`` of a registry token names it."""

    kind: SubjectKind
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Subject | None:
        """Read ``<kind>:<uuid>``; None for anything else, and for the anonymous ""."""
        kind, _, identifier = text.partition(":")
        try:
            return cls(SubjectKind(kind), uuid.UUID(identifier))
        except ValueError:
            return None


PullCredential = PresentedCredential | Subject | None
