from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from portal.outbound import Failure, failure_of, outbound_session


class Resolver(AbstractResolver):
    """Answers with the same addresses for every name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("127.0.0.1", "::1"),
        ("10.0.0.1", "::1", "192.168.0.1", "fd00::1"),
    ],
)
def test_blocked_addresses_are_known_however_many(
    settings: Any, addresses: tuple[str, ...]
) -> None:
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []

    async def failure() -> Failure | None:
        timeout = aiohttp.ClientTimeout(total=5)
        async with outbound_session(timeout, resolver=Resolver(*addresses)) as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.get("http://a.example/")
        return failure_of(caught.value)

    assert asyncio.run(failure()) is Failure.ADDRESS_NOT_PUBLIC


def test_other_exceptions_are_no_failure_of_a_request() -> None:
    assert failure_of(KeyError("x")) is None


@pytest.mark.parametrize("scheme", ["ws", "wss", "tcp", "ftp"])
def test_sessions_speak_http_alone(scheme: str) -> None:
    """The library's own client would send a plain GET to ws://."""

    async def get() -> None:
        async with (
            outbound_session(aiohttp.ClientTimeout(total=5), guarded=False) as session,
            session.get(f"{scheme}://127.0.0.1:9/"),
        ):
            pass

    with pytest.raises(aiohttp.NonHttpUrlClientError) as refused:
        asyncio.run(get())
    assert failure_of(refused.value) is Failure.BAD_ADDRESS
