"""A minimal, fast registry that only handles logins: an ASGI application.

It requires a Bearer token, has its own token service, and accepts the login in
``BENCH_UPSTREAM_LOGIN``, which is ``name:password``.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

LOGIN_VARIABLE = "BENCH_UPSTREAM_LOGIN"
_API = (b"docker-distribution-api-version", b"registry/2.0")
_issued: set[bytes] = set()

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def app(scope: Mapping[str, Any], receive: object, send: Send) -> None:
    """Answer ``/v2/`` and ``/token``."""
    headers = dict(scope["headers"])
    authorization = headers.get(b"authorization", b"")
    extra: list[tuple[bytes, bytes]] = []
    if scope["path"] == "/token":
        status, body = _token(authorization)
    elif authorization in _issued:
        # A token works once, so that every check signs in again.
        _issued.remove(authorization)
        status, body = 200, b"{}"
    else:
        status, body, extra = 401, b"{}", [_challenge(headers[b"host"])]
    answer = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        _API,
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": answer})
    await send({"type": "http.response.body", "body": body})


def _token(authorization: bytes) -> tuple[int, bytes]:
    login = base64.b64encode(os.environ[LOGIN_VARIABLE].encode())
    if authorization != b"Basic " + login:
        return 401, b"{}"
    token = secrets.token_urlsafe(256)
    _issued.add(b"Bearer " + token.encode())
    return 200, json.dumps({"token": token, "expires_in": 300}).encode()


def _challenge(host: bytes) -> tuple[bytes, bytes]:
    value = b'Bearer realm="http://%s/token",service="bench"' % host
    return b"www-authenticate", value
