"""A minimal registry client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import urllib3
from django.conf import settings

from bench.harness.errors import BenchError
from bench.harness.load import Request
from deploy.local.images import MANIFEST
from portal.crypto.secrets import Secret


def basic(username: str, password: Secret) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    headers = urllib3.make_headers(basic_auth=f"{username}:{password.reveal()}")
    return headers["authorization"]


def token_request(host: str, license_id: Secret, repository: str) -> Request:
    """Return the request for a registry token to pull ``repository``."""
    query = {
        "service": settings.BERTH_PROXY_SERVICE,
        "scope": f"repository:{repository}:pull",
    }
    return Request(
        f"http://{host}/v2/token?{urlencode(query)}",
        {"Authorization": basic("bench", license_id)},
    )


def bearer(token_response: bytes) -> dict[str, str]:
    """Return the header that presents the registry token of a response."""
    return {"Authorization": f"Bearer {json.loads(token_response)['token']}"}


def content_request(
    host: str, repository: str, path: str, headers: Mapping[str, str]
) -> Request:
    """Return the request for ``manifests/…`` or ``blobs/…`` in a repository."""
    url = f"http://{host}/v2/{repository}/{path}"
    return Request(url, {"Accept": MANIFEST, **headers})


def fetch(pool: urllib3.PoolManager, request: Request) -> bytes:
    """Send a request once and return the body.

    Raises:
        BenchError: the status is not 200.
    """
    response = pool.request(
        "GET", request.url, headers=request.headers, redirect=False, retries=False
    )
    if response.status != 200:
        raise BenchError(f"{request.url} gave {response.status}: {response.data!r}")
    return response.data
