"""Error bodies (OCI distribution spec, "Error codes")."""

from __future__ import annotations

import json
from enum import StrEnum


class ErrorCode(StrEnum):
    """The codes in answers of a pull proxy or a token service."""

    BLOB_UNKNOWN = "BLOB_UNKNOWN"
    DENIED = "DENIED"
    DIGEST_INVALID = "DIGEST_INVALID"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    MANIFEST_UNKNOWN = "MANIFEST_UNKNOWN"
    NAME_INVALID = "NAME_INVALID"
    NAME_UNKNOWN = "NAME_UNKNOWN"
    RANGE_INVALID = "RANGE_INVALID"
    SIZE_INVALID = "SIZE_INVALID"
    TAG_INVALID = "TAG_INVALID"
    TOOMANYREQUESTS = "TOOMANYREQUESTS"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"
    UNSUPPORTED = "UNSUPPORTED"


# What a registry says about the content of a pull, rather than about who asks.
CONTENT_CODES = frozenset(
    {
        ErrorCode.BLOB_UNKNOWN,
        ErrorCode.DIGEST_INVALID,
        ErrorCode.MANIFEST_INVALID,
        ErrorCode.MANIFEST_UNKNOWN,
        ErrorCode.NAME_INVALID,
        ErrorCode.NAME_UNKNOWN,
        ErrorCode.TAG_INVALID,
        ErrorCode.UNSUPPORTED,
    }
)


def error_body(code: ErrorCode, message: str, detail: object | None = None) -> bytes:
    """Return compact UTF-8 JSON with one error; a detail of None is left out."""
    error: dict[str, object] = {"code": code.value, "message": message}
    if detail is not None:
        error["detail"] = detail
    text = json.dumps({"errors": [error]}, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate has no UTF-8 form, and an error must still be sent.
    return text.encode("utf-8", errors="replace")
