"""Errors that the domain raises and that every interface knows how to tell.

PortalError            a rule of Berth said no; has a stable code and a sentence
 ├── NotAllowed        the actor lacks a permission in the team
 ├── Conflict          the object is not in the state that the change needs
 ├── Invalid           a value is wrong; names the fields
 ├── TooMany           asked for too often; says when to try again
 └── UpstreamProblem   an external registry refused, or could not be reached
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
    """The object's present state does not admit the change."""


class Invalid(PortalError):  # noqa: N818 -- exceptions here state the fact
    """Values are wrong: ``fields`` maps each field to its messages."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("invalid", "Some values are not valid.")
        self.fields = fields


class TooMany(PortalError):  # noqa: N818 -- exceptions here state the fact
    """Asked for too often: it may be tried again after ``retry_after`` seconds."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class UpstreamProblem(PortalError):  # noqa: N818 -- exceptions here state the fact
    """An external registry refused, or could not be reached."""
