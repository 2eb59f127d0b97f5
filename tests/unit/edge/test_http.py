"""Answers to clients that do not read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import edge.http
from edge.http import ClientGone, Request


async def never() -> Any:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    "send",
    [
        lambda request: request.start(200, []),
        lambda request: request.send_in_time(b"a", 0.05),
    ],
    ids=["headers", "body"],
)
def test_a_client_that_does_not_read_is_disconnected(
    send: Callable[[Request], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.http, "ANSWER_STALL_SECONDS", 0.05)
    disconnected: list[bool] = []
    scope = {"state": {"disconnect": lambda: disconnected.append(True)}}

    async def main() -> None:
        request = Request(scope, never, lambda _: never())
        async with asyncio.timeout(5):
            await send(request)

    with pytest.raises(ClientGone):
        asyncio.run(main())

    assert disconnected
