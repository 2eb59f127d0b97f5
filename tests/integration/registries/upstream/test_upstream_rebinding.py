"""A name that resolves to a public address first and to an inner one later."""

from __future__ import annotations

import asyncio
import socket
import uuid
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from portal.crypto.secrets import Secret
from registries.upstream.client import UpstreamRequest, upstream_client
from registries.upstream.errors import UpstreamUnreachable
from registries.upstream.target import UpstreamTarget


class RebindingResolver(AbstractResolver):
    """Answers with each address in turn, as a hostile name server does."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses.pop(0)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


def target(port: int) -> UpstreamTarget:
    host = f"rebinding.example:{port}"
    return UpstreamTarget(
        team_id=uuid.uuid4(),
        registry_id=uuid.uuid4(),
        credential_id=uuid.uuid4(),
        label=host,
        endpoint=host,
        api_host=host,
        scheme="http",
        realm_hosts=frozenset(),
        username=Secret("u"),
        secret=Secret("p"),
    )


def test_a_rebinding_name_is_refused_at_the_connection(settings: Any) -> None:
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    resolver = RebindingResolver("127.0.0.1")

    async def pull() -> None:
        async with upstream_client(resolver) as client:
            request = UpstreamRequest("GET", "/v2/", "", {})
            await client.open(target(listener.getsockname()[1]), request)

    with pytest.raises(UpstreamUnreachable, match="its address is not public"):
        asyncio.run(pull())

    assert resolver.addresses == []
    with pytest.raises(TimeoutError):
        listener.accept()
    listener.close()
