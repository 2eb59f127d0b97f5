"""The answers of token services, and how long to keep them."""

from __future__ import annotations

import json
from typing import Any

from registries.upstream.errors import UpstreamFault
from registries.upstream.target import UpstreamTarget

MAX_TOKEN_LENGTH = 16 * 1024
# distribution-spec auth/token.md: a token lives 60 seconds unless it says otherwise.
DEFAULT_TOKEN_SECONDS = 60.0
MAX_TOKEN_SECONDS = 3600.0


def read_token(status: int, body: bytes, target: UpstreamTarget) -> tuple[str, float]:
    """Return a token service's answer as an Authorization header, and its lifetime.

    Raises:
        UpstreamFault: the answer holds no usable token.
    """
    try:
        answer: Any = json.loads(body) if status == 200 else None
        upstream_token = answer.get("token") or answer.get("access_token")
        seconds = float(answer.get("expires_in") or DEFAULT_TOKEN_SECONDS)
    except (
        ValueError,
        AttributeError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise UpstreamFault(
            target,
            f"has a token service with no usable answer (status {status})",
            status,
        ) from error
    if not isinstance(upstream_token, str) or not _is_header_safe(upstream_token):
        raise UpstreamFault(target, "has a token service that gave no token", status)
    return f"Bearer {upstream_token}", renewed_early(min(seconds, MAX_TOKEN_SECONDS))


def _is_header_safe(text: str) -> bool:
    return 0 < len(text) <= MAX_TOKEN_LENGTH and text.isascii() and text.isprintable()


def renewed_early(seconds: float) -> float:
    """Return how long to keep a token, so that none is used shortly before it ends."""
    return max(0.0, seconds * 0.8 - 1)
