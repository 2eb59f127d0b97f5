"""A customer who asks the API with nothing but a license."""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
from typing import Any

from django.test import Client

from licenses.models import License
from tests.support.clients.api import API

PROXY, REGISTRY = "proxy.example.com", "registry.example.com"
# RFC 2544's, of which each client takes one: failures count by address.
_NETWORK = ipaddress.ip_network("198.18.0.0/15")


def basic(username: str, password: str) -> str:
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"Basic {encoded}"


class LicenseClient:
    """Asks with a license, or with whatever is sent as ``Authorization``."""

    def __init__(
        self, license: License | None = None, *, authorization: str | None = None
    ) -> None:
        self.authorization = authorization
        if license is not None:
            self.authorization = basic("license", license.license_id.reveal())
        address = _NETWORK[secrets.randbelow(_NETWORK.num_addresses)]
        self._client = Client(REMOTE_ADDR=str(address))

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Any:
        sent = dict(headers or {})
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        return self._client.generic(
            method.upper(),
            f"{API}{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers=sent,
        )

    def get(self, path: str = "", **options: Any) -> Any:
        return self.request("get", f"/license{path}", **options)

    def resolve(self, *images: object) -> Any:
        return self.request("post", "/license/resolve-images", {"images": images})
