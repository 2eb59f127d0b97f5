"""An upstream's 4xx, as an answer to the client.

The status stays what it is wherever the client can act on it. The error's code is the
upstream's own if it is one about content; its text is never passed on.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from django.conf import settings

from edge.http import Headers, RegistryError
from edge.proxy.route import UNKNOWN_CODES, Route
from oci.errors import CONTENT_CODES, ErrorCode

MAX_ERROR_BYTES = 64 * 1024
# Not about the client's request, but about Berth's connection or the vendor's account.
_NOT_FOR_CLIENTS = {402, 407, 408, 421, 425, 426}


async def refusal(
    response: aiohttp.ClientResponse, route: Route, repository: str
) -> RegistryError:
    """Return the answer to a client whose request the upstream did not fulfil."""
    status = response.status
    if status == 416:
        return _outside(response)
    if not 400 <= status < 500 or status in _NOT_FOR_CLIENTS:
        return RegistryError(
            502,
            ErrorCode.UNAVAILABLE,
            f"The registry of {route.name.upstream} answered {status}. "
            "Try again, then contact your vendor.",
        )
    code = await _content_code(response)
    if status == 404:
        return RegistryError(
            404,
            code or UNKNOWN_CODES[route.kind],
            f"Not found in the registry: {route.kind.removesuffix('s')} "
            f"{route.reference} of {repository}.",
        )
    return RegistryError(
        status,
        code or ErrorCode.UNSUPPORTED,
        f"The registry of {route.name.upstream} refused the request with status "
        f"{status}. Check the image name, and which formats your client accepts.",
        headers=_headers(response, "Allow"),
    )


def _outside(response: aiohttp.ClientResponse) -> RegistryError:
    return RegistryError(
        416,
        ErrorCode.RANGE_INVALID,
        "The range is outside the blob.",
        headers=_headers(response, "Content-Range"),
    )


def _headers(response: aiohttp.ClientResponse, name: str) -> Headers:
    values = response.headers.getall(name, ())
    return [(name, text) for text in values if text.isascii() and text.isprintable()]


async def _content_code(response: aiohttp.ClientResponse) -> ErrorCode | None:
    """Return the first code of the body's errors that is about content."""
    try:
        async with asyncio.timeout(settings.BERTH_UPSTREAM_READ_SECONDS):
            body = await _beginning(response)
        errors: Any = json.loads(body)["errors"]
        codes = (item["code"] for item in errors if item["code"] in CONTENT_CODES)
        return next((ErrorCode(code) for code in codes), None)
    except (
        *(TimeoutError, aiohttp.ClientError, OSError),
        *(ValueError, TypeError, LookupError, RecursionError),
    ):
        return None


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ERROR_BYTES:
            break
    return bytes(body)
