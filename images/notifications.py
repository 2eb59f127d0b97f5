"""Parses Distribution's notifications strictly.

Source: distribution, docs/notifications ("Events" and "Envelope"), 2.8 and 3.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from oci.digest import parse_digest
from oci.reference import parse_repository, parse_tag

logger = logging.getLogger(__name__)
_BLOB = "application/octet-stream"


class MalformedEnvelope(ValueError):  # noqa: N818 -- states the fact
    """The text is not an envelope with events."""


class Action(StrEnum):
    PUSH = "push"
    PULL = "pull"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Notification:
    """An action on a manifest.

    ``digest`` is "" if only a tag was deleted, ``tag`` is "" if none was named.
    ``subject`` is that of the registry token, ``at`` is the registry's time.
    """

    id: str
    at: datetime
    action: Action
    repository: str
    digest: str
    tag: str
    media_type: str
    subject: str
    method: str


def parse_envelope(body: bytes) -> list[Notification]:
    """Return an envelope's notifications about manifests, without blobs and the rest.

    Unreadable events are left out too: Distribution would repeat them until they are
    accepted, and all later ones would wait.

    Raises:
        MalformedEnvelope: it is not an envelope.
    """
    try:
        events = list(json.loads(body)["events"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedEnvelope("Not an envelope of notifications.") from error
    parsed = (_read(event) for event in events)
    return [notification for notification in parsed if notification is not None]


def _read(event: Any) -> Notification | None:
    try:
        target = event["target"]
        if event["action"] not in set(Action) or target.get("mediaType") == _BLOB:
            return None
        return _parse(event, target)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("Unreadable notification: %r", error)
        return None


def _parse(event: dict[str, Any], target: dict[str, Any]) -> Notification:
    digest, tag = target.get("digest", ""), target.get("tag", "")
    if not digest and not tag:
        raise ValueError("neither digest nor tag")
    return Notification(
        id=_text(event["id"], 64),
        at=_instant(event["timestamp"]),
        action=Action(event["action"]),
        repository=parse_repository(target["repository"]),
        digest=parse_digest(digest) if digest else "",
        tag=parse_tag(tag) if tag else "",
        media_type=_text(target.get("mediaType", ""), 255),
        subject=_text(event.get("actor", {}).get("name", ""), 80),
        method=_text(event.get("request", {}).get("method", ""), 20),
    )


def _text(value: Any, length: int) -> str:
    if not isinstance(value, str) or len(value) > length or not value.isprintable():
        raise ValueError("a value is not printable text, or too long")
    return value


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a timestamp has no zone")
    return instant.astimezone(UTC)
