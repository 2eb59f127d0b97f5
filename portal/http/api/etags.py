"""Entity tags and preconditions (RFC 9110 sections 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.utils.http import parse_etags
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.utils.encoders import JSONEncoder

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"


class PreconditionFailed(APIException):
    """The object is not as the caller has read it; ``etag`` names what it is now."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = (
        "The object has been changed since you read it, and nothing was changed now. "
        "Read it again, then send its new ETag in If-Match."
    )

    def __init__(self, etag: str) -> None:
        super().__init__()
        self.etag = etag


def etag_of(shown: Mapping[str, Any]) -> str:
    """Return a strong entity tag: equal for equal values, in quotes."""
    text = json.dumps(shown, cls=JSONEncoder, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def require_match(header: str, etag: str, name: str = IF_MATCH) -> None:
    """Check the header ``If-Match`` against an object that exists.

    ``name`` is where its value was sent, if not in the header.

    Raises:
        PreconditionFailed: another version is wanted. A weak tag is always another one.
        ValidationError: the value names no entity tag.
    """
    wanted = parse_etags(header)
    if not wanted:
        raise ValidationError({name: ["Send an ETag as it came, in quotes, or *."]})
    if wanted != ["*"] and etag not in wanted:
        raise PreconditionFailed(etag)


def is_known(header: str, etag: str) -> bool:
    """Return whether ``If-None-Match`` says that the caller has this version."""
    known = parse_etags(header)
    return known == ["*"] or etag in {tag.removeprefix("W/") for tag in known}
