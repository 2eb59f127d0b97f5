"""Errors that the domain raises and every interface can report.

PortalError            a rule of Berth said no; has a stable code and a sentence
 ├── NotAllowed        the actor lacks a permission in the team
 ├── Conflict          the object's state does not allow the change
 ├── Invalid           values are invalid; names the fields
 ├── TooMany           too many requests; says when to retry
 │    └── Busy         too many requests of everybody together
 └── UpstreamProblem   an external registry refused, or is unavailable
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class PortalError(Exception):
    """A rule of Berth said no: ``code`` for programs, ``message`` for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotAllowed(PortalError):  # noqa: N818 -- exceptions here state the fact
    """The actor lacks a permission in this team."""


class Conflict(PortalError):  # noqa: N818 -- exceptions here state the fact
    """The object's current state does not allow the change."""


class Invalid(PortalError):  # noqa: N818 -- exceptions here state the fact
    """Values are invalid: ``fields`` maps each field to its messages."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("invalid", "Some values are invalid.")
        self.fields = fields


class TooMany(PortalError):  # noqa: N818 -- exceptions here state the fact
    """Too many requests: retry after ``retry_after`` seconds."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class Busy(TooMany):
    """Berth does as much of this as it can: retry after ``retry_after`` seconds."""


class UpstreamProblem(PortalError):  # noqa: N818 -- exceptions here state the fact
    """An external registry refused, or is unavailable."""
