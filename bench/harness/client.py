"""A registry client, no faster than it has to be."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import urllib3

from bench.harness.errors import BenchError
from bench.harness.load import Request
from deploy.local.images import MANIFEST
from portal.crypto.secrets import Secret

PROXY_SERVICE = "berth-proxy"


def token_request(host: str, license_id: Secret, repository: str) -> Request:
    """Return the request for a registry token to pull ``repository`` with."""
    query = {"service": PROXY_SERVICE, "scope": f"repository:{repository}:pull"}
    basic = base64.b64encode(f"bench:{license_id.reveal()}".encode()).decode()
    return Request(
        f"http://{host}/v2/token?{urlencode(query)}",
        {"Authorization": f"Basic {basic}"},
    )


def bearer(token_answer: bytes) -> dict[str, str]:
    """Return the header that shows the registry token of an answer."""
    return {"Authorization": f"Bearer {json.loads(token_answer)['token']}"}


def manifest_request(
    host: str, repository: str, reference: str, headers: dict[str, str]
) -> Request:
    return Request(
        f"http://{host}/v2/{repository}/manifests/{reference}",
        {"Accept": MANIFEST, **headers},
    )


def blob_request(
    host: str, repository: str, digest: str, headers: dict[str, str]
) -> Request:
    return Request(f"http://{host}/v2/{repository}/blobs/{digest}", headers)


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
