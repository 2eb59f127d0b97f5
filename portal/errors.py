"""Errors that the domain raises and every interface can report.

PortalError            a rule of Berth said no; has a stable code and a sentence
 ├── NotAllowed        the actor lacks a permission in the team
 ├── Conflict          the object's state does not allow the change
 ├── Invalid           values are invalid; names the fields
 │    └── Taken        another object has a value that must be unique; says which
 ├── TooMany           too many requests; says when to retry
 │    └── Busy         too many requests of everybody together
 └── UpstreamProblem   an external registry refused, or is unavailable
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence


class PortalError(Exception):
    """A rule of Berth said no: ``code`` for programs, ``message`` for people.

    ``more`` is what else programs can use, by name.
    """

    def __init__(self, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = more


class NotAllowed(PortalError):  # noqa: N818 -- exceptions here state the fact
    """The actor lacks a permission in this team."""


class Conflict(PortalError):  # noqa: N818 -- exceptions here state the fact
    """The object's current state does not allow the change."""


class Invalid(PortalError):  # noqa: N818 -- exceptions here state the fact
    """Values are invalid: ``fields`` maps each field to its messages."""

    def __init__(
        self,
        fields: Mapping[str, Sequence[str]],
        code: str = "invalid",
        message: str = "Some values are invalid.",
    ) -> None:
        super().__init__(code, message)
        self.fields = fields


class Taken(Invalid):
    """Another object has a value that must be unique: ``fields`` says which.

    ``existing`` is its ID, or None if another team has it.
    """

    def __init__(
        self, code: str, fields: Mapping[str, Sequence[str]], existing: uuid.UUID | None
    ) -> None:
        message = " ".join(text for texts in fields.values() for text in texts)
        super().__init__(fields, code, message)
        self.existing = existing
        self.more = {"existing": existing}


class TooMany(PortalError):  # noqa: N818 -- exceptions here state the fact
    """Too many requests: retry after ``retry_after`` seconds."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class Busy(TooMany):
    """Berth does as much of this as it can: retry after ``retry_after`` seconds."""


class UpstreamProblem(PortalError):  # noqa: N818 -- exceptions here state the fact
    """An external registry refused, or is unavailable."""
