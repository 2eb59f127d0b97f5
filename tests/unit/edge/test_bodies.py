"""A body that differs from its digest is never finished."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator

import pytest

from edge.bodies import WrongBytes, check_digest, verified

BODY = b"the right bytes"


def digest(body: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


async def in_pieces(body: bytes, size: int) -> AsyncGenerator[bytes]:
    for begin in range(0, len(body), size):
        yield body[begin : begin + size]


def received(body: bytes, promised: str, size: int) -> tuple[bytes, bool]:
    """Return what a client gets, and whether it was the end."""

    async def read() -> tuple[bytes, bool]:
        got = b""
        try:
            async for piece in verified(in_pieces(body, size), promised):
                got += piece
        except WrongBytes:
            return got, False
        return got, True

    return asyncio.run(read())


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_right_bytes_arrive_whole(algorithm: str, size: int) -> None:
    assert received(BODY, digest(BODY, algorithm), size) == (BODY, True)


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("wrong", [BODY[:-1], BODY + b"!", b"the wrong bytes"])
def test_wrong_bytes_lack_their_end(wrong: bytes, size: int) -> None:
    got, finished = received(wrong, digest(BODY), size)

    assert not finished
    assert wrong.startswith(got)
    assert len(got) < len(wrong)


def test_an_empty_body_has_a_digest_too() -> None:
    assert received(b"", digest(b""), 1) == (b"", True)
    assert received(b"", digest(BODY), 1) == (b"", False)


def test_a_whole_body_is_checked() -> None:
    check_digest(BODY, digest(BODY))
    check_digest(BODY, "")
    with pytest.raises(WrongBytes):
        check_digest(BODY + b"!", digest(BODY))
