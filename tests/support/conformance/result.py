"""What an answer says, with what differs from one registry to the next taken out."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.clients.edge import Answer
from tests.support.conformance.client import Target

# Those that the distribution spec or its clients give a meaning to.
HEADERS = (
    "Accept-Ranges",
    "Allow",
    "Cache-Control",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Docker-Content-Digest",
    "Docker-Distribution-API-Version",
    "Docker-Upload-UUID",
    "ETag",
    "Link",
    "Location",
    "OCI-Filters-Applied",
    "OCI-Subject",
    "Range",
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATE = re.compile(r"_state=[^&]+")


@dataclass(frozen=True, slots=True)
class Result:
    """Status, headers and body, comparable between two registries."""

    status: int
    headers: dict[str, str]
    body: object

    @property
    def code(self) -> str | None:
        """The code of the first OCI error, None where there is none."""
        errors = self.body.get("errors") if isinstance(self.body, dict) else None
        return errors[0]["code"] if errors else None


def result_of(answer: Answer, target: Target) -> Result:
    headers = {
        name: _normalised(answer.headers[name], target)
        for name in HEADERS
        if name in answer.headers
    }
    return Result(answer.status, headers, _body(answer, target))


def _body(answer: Answer, target: Target) -> object:
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        text = _normalised(answer.body.decode(), target)
        return _sorted_tags(json.loads(text)) if text else None
    # Content must come back to the byte.
    digest = hashlib.sha256(answer.body).hexdigest()
    return {"size": len(answer.body), "sha256": digest}


def _sorted_tags(document: Any) -> Any:
    # Distribution 2.8 lists tags in whatever order its storage has.
    if isinstance(document, dict) and document.get("tags"):
        return document | {"tags": sorted(document["tags"])}
    return document


def _normalised(text: str, target: Target) -> str:
    # An address at the registry itself may be whole or a path.
    text = text.replace(target.url, "")
    text = text.replace(target.namespace, "<namespace>")
    return _STATE.sub("_state=<state>", _UUID.sub("<uuid>", text))
