"""A line of the log that nginx writes of the proxy's answers (deploy/nginx)."""

from __future__ import annotations

import json
import uuid
from functools import lru_cache
from typing import Any, NamedTuple

from edge.pull_counter import NO_LICENSE
from oci.reference import parse_manifest_reference
from registries.decision.credentials import Subject
from registries.decision.proxied_name import ProxiedName, parse_proxied_name
from registries.pulls.events import credential_of

# Numbers beyond these are not of a log, and would not fit into the database.
_MAX_SECONDS = 2**33
_MAX_BYTES = 2**50


class MalformedLine(ValueError):  # noqa: N818 -- states the fact
    """Not a line that nginx writes."""


class Puller(NamedTuple):
    """Whose pull an answer is, as the edge named it: see ``edge.pull_counter``."""

    team_id: uuid.UUID
    holder: str
    license_id: uuid.UUID | None
    registry_id: uuid.UUID
    credential_id: uuid.UUID | None = None


class LoggedAnswer(NamedTuple):
    at: float
    puller: Puller
    name: ProxiedName
    method: str
    kind: str
    reference: str
    digest: str
    media_type: str
    status: int
    size: int
    is_hit: bool
    is_stale: bool
    place: str


def parse_line(line: bytes) -> LoggedAnswer | None:
    """Read a line; None for an answer that is nobody's pull.

    Raises:
        MalformedLine: nginx did not write it like this.
    """
    try:
        fields = json.loads(line)
        return _parse(fields) if fields["pull"] else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedLine(str(error)) from error


def _parse(fields: dict[str, Any]) -> LoggedAnswer:
    method, kind, reference = fields["method"], fields["kind"], fields["reference"]
    if kind == "manifests":
        parse_manifest_reference(reference)
    return LoggedAnswer(
        at=_number(fields["time"], _MAX_SECONDS),
        puller=_puller(fields["pull"]),
        name=_name(fields["name"]),
        method=method,
        kind=kind,
        reference=reference,
        digest=_text(fields["digest"]),
        media_type=_text(fields["type"]),
        status=int(_number(fields["status"], 1000)),
        size=int(_number(fields["bytes"], _MAX_BYTES)),
        is_hit=fields["cache"] == "hit",
        is_stale=fields["stale"] is True,
        place=_text(fields["place"]),
    )


def _number(value: object, limit: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    if not 0 <= value < limit:
        raise ValueError("out of range")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


@lru_cache(maxsize=20_000)
def _puller(text: str) -> Puller:
    team, holder, registry, license = text.split(" ")
    subject = Subject.parse(holder)
    if subject is None:
        raise ValueError("not a holder")
    return Puller(
        team_id=uuid.UUID(team),
        holder=str(subject),
        license_id=None if license == NO_LICENSE else uuid.UUID(license),
        registry_id=uuid.UUID(registry),
        credential_id=credential_of(subject),
    )


@lru_cache(maxsize=20_000)
def _name(text: str) -> ProxiedName:
    return parse_proxied_name(text)
