"""What an authenticator app shows: RFC 6238 with SHA-1 and six digits."""

from __future__ import annotations

import base64
import hmac
import time


def one_time_code(secret: str) -> str:
    key = base64.b32decode(secret.strip())
    counter = int(time.time()) // 30
    digest = hmac.digest(key, counter.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
