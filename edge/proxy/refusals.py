"""An upstream's refusal, as an answer to the client.

The code of a 404 is the upstream's own if it is one about content; its text is never
passed on.
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


async def refusal(
    response: aiohttp.ClientResponse, route: Route, repository: str
) -> RegistryError:
    """Return the answer to a client whose request the upstream did not fulfil."""
    if response.status == 416:
        return _outside(response)
    if response.status == 404:
        return RegistryError(
            404,
            await _content_code(response) or UNKNOWN_CODES[route.kind],
            f"Not found in the registry: {route.kind.removesuffix('s')} "
            f"{route.reference} of {repository}.",
        )
    return RegistryError(
        502,
        ErrorCode.UNAVAILABLE,
        f"The registry of {route.name.upstream} answered {response.status}. "
        "Try again, then contact your vendor.",
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
        codes = [item["code"] for item in errors]
    except (
        *(TimeoutError, aiohttp.ClientError, OSError),
        *(ValueError, TypeError, LookupError, RecursionError),
    ):
        return None
    return next((ErrorCode(code) for code in codes if code in CONTENT_CODES), None)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ERROR_BYTES:
            break
    return bytes(body)
