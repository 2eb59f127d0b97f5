"""A customer who asks the API with nothing but a license."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from typing import Any

from licenses.models import License
from tests.support.clients.api import JsonClient

PROXY, REGISTRY = "proxy.example.com", "registry.example.com"
# RFC 2544's, of which each client takes one: failures count by address.
_NETWORK = ipaddress.ip_network("198.18.0.0/15")


def basic(username: str, password: str) -> str:
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return f"Basic {encoded}"


class LicenseClient(JsonClient):
    """Asks with a license, or with whatever is sent as ``Authorization``."""

    def __init__(
        self, license: License | None = None, *, authorization: str | None = None
    ) -> None:
        if license is not None:
            authorization = basic("license", license.license_id.reveal())
        address = _NETWORK[secrets.randbelow(_NETWORK.num_addresses)]
        super().__init__(authorization, REMOTE_ADDR=str(address))

    def get(self, path: str = "", **options: Any) -> Any:
        return self.request("get", f"/license{path}", **options)

    def resolve(self, *images: object) -> Any:
        return self.request("post", "/license/resolve-images", {"images": images})
