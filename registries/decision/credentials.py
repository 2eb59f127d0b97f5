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
    IDENTITY = "identity"
    API_TOKEN = "api-token"  # noqa: S105 -- a kind
    USER = "user"


@dataclass(frozen=True, slots=True)
class Subject:
    """An identified holder, as the ``sub`` of a registry token names it.

    ``version`` counts the IDs of a license: each ends separately. CURRENT_ID stands for
    the one that the license has now; no registry token names it. Of a trusted identity,
    it is the number of the workload that uses it, which decides nothing.
    """

    kind: SubjectKind
    id: uuid.UUID
    version: int = 1

    def __str__(self) -> str:
        version = f".{self.version}" if self.version > 1 else ""
        return f"{self.kind}:{self.id}{version}"

    @classmethod
    def parse(cls, text: str) -> Subject | None:
        """Read ``<kind>:<uuid>``, and ``.<version>`` from version 2 on.

        Only licenses and trusted identities have versions.

        None for anything else, and for the anonymous "".
        """
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        return cls(
            SubjectKind(match["kind"] or match["versioned"]),
            uuid.UUID(match["id"] or match["versioned_id"]),
            int(match["version"] or 1),
        )


@dataclass(frozen=True, slots=True)
class RefusedLogin:
    """A login that nobody has, as the ``sub`` of a registry token for nothing names it.

    The pull that such a token is used for is refused with the login's own sentence:
    containerd prints that, and nothing that the token service says.
    """

    reason: str
    message: str

    def __str__(self) -> str:
        return f"{REFUSED}:{self.reason}"


REFUSED = "refused"
_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FORM = re.compile(
    rf"(?P<kind>{'|'.join(SubjectKind)}):(?P<id>{_ID})"
    rf"|(?P<versioned>license|identity):(?P<versioned_id>{_ID})"
    r"\.(?P<version>[2-9]|[1-9][0-9]{1,8})"
)
PullCredential = PresentedCredential | Subject | None
