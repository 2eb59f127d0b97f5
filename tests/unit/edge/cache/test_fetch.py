"""One fetch for all who follow it, and none of them gets a wrong end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path

import pytest

from edge.bodies import BodyBroke, TooLate, WrongBytes
from edge.cache.disk import DiskThreads
from edge.cache.fetch import DiskFailed, Fetch, Fetches
from edge.cache.store import BLOB_TYPE, Store
from tests.unit.edge.cache.objects import BODY, key, store

TIMEOUT = 20


class Upstream:
    """A body that arrives when a test says so."""

    def __init__(self) -> None:
        self._parts: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.is_closed = False

    def send(self, *parts: bytes | Exception | None) -> None:
        for part in parts:
            self._parts.put_nowait(part)

    async def body(self) -> AsyncGenerator[bytes]:
        try:
            while (part := await self._parts.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.is_closed = True


class Stage:
    """A fetch into a store, from an upstream that a test directs."""

    def __init__(self, root: Path, size: int | None = None) -> None:
        self.store: Store = store(root)
        self.upstream = Upstream()
        self.ended = 0
        self._threads = DiskThreads(2, name="test")
        draft = self.store.begin(key(), BLOB_TYPE, size)
        self.fetch = Fetch(draft, size, reading=self._threads, writing=self._threads)

    def start(self, seconds: float | None = None) -> None:
        def end() -> None:
            self.ended += 1

        self.fetch.start(self.upstream.body(), end, seconds=seconds)

    async def read(self, got: bytearray) -> None:
        with self.fetch.follow():
            async for piece in self.fetch.pieces():
                got += piece

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 -- of files too
            await asyncio.sleep(0.005)

    @property
    def files(self) -> list[Path]:
        return [item for item in self.store.root.rglob("*") if item.is_file()]

    def kept(self) -> bytes | None:
        entry = self.store.find(key())
        if entry is None:
            return None
        with entry:
            return entry.file.read()


def run(scene: Coroutine[None, None, None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(TIMEOUT):
            await scene

    asyncio.run(in_time())


def test_all_followers_get_what_is_kept(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path, len(BODY))
        stage.start()
        results = [bytearray() for _ in range(10)]
        first = [asyncio.create_task(stage.read(result)) for result in results[:5]]
        stage.upstream.send(BODY[:100])
        await stage.until(lambda: len(results[0]) == 100)
        later = [asyncio.create_task(stage.read(result)) for result in results[5:]]
        stage.upstream.send(BODY[100:])
        await stage.until(lambda: len(results[9]) == len(BODY) - 1)
        # Whether all are right is not known yet.
        assert {len(result) for result in results} == {len(BODY) - 1}
        assert stage.kept() is None

        stage.upstream.send(None)
        await asyncio.gather(*first, *later)
        await stage.until(lambda: bool(stage.ended))

        assert {bytes(result) for result in results} == {BODY}
        assert stage.kept() == BODY
        assert stage.ended == 1
        assert len(stage.files) == 1

    run(scene())


@pytest.mark.parametrize(
    ("parts", "failure"),
    [
        ((BODY[:-1], None), WrongBytes),
        ((BODY + b"!", None), WrongBytes),
        ((b"X" + BODY[1:], None), WrongBytes),
        ((BODY, ConnectionResetError()), BodyBroke),
        ((BODY, BodyBroke("sent its bytes too slowly")), BodyBroke),
        ((TimeoutError(),), TooLate),
        ((BODY, RuntimeError("a mistake of ours")), BodyBroke),
    ],
)
def test_nobody_gets_the_end_of_wrong_bytes(
    tmp_path: Path,
    parts: tuple[bytes | Exception | None, ...],
    failure: type[Exception],
) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.start()
        results = [bytearray() for _ in range(3)]
        reading = [asyncio.create_task(stage.read(result)) for result in results]
        stage.upstream.send(*parts)

        failures = await asyncio.gather(*reading, return_exceptions=True)
        await stage.until(lambda: bool(stage.ended) and not stage.files)

        assert {type(item) for item in failures} == {failure}
        assert max(len(result) for result in results) < max(
            [len(part) for part in parts if isinstance(part, bytes)], default=1
        )
        assert stage.kept() is None

    run(scene())


def test_it_ends_with_its_last_follower(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.start()
        one, other = bytearray(), bytearray()
        leaving = asyncio.create_task(stage.read(one))
        staying = asyncio.create_task(stage.read(other))
        stage.upstream.send(BODY[:100])
        await stage.until(lambda: len(one) == len(other) == 99)

        leaving.cancel()
        stage.upstream.send(BODY[100:200])
        await stage.until(lambda: len(other) == 199)
        assert not stage.upstream.is_closed
        staying.cancel()
        await stage.until(lambda: stage.upstream.is_closed)
        await stage.until(lambda: bool(stage.ended) and not stage.files)

        assert stage.fetch.failure is not None

    run(scene())


def test_what_has_arrived_is_kept_although_everybody_leaves(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.start()
        got = bytearray()
        stage.upstream.send(BODY, None)
        await stage.read(got)
        await stage.until(lambda: bool(stage.ended))

        assert stage.kept() == BODY

    run(scene())


def test_an_empty_object_is_kept_too(tmp_path: Path) -> None:
    async def scene() -> None:
        kept = store(tmp_path)
        threads = DiskThreads(1, name="test")
        draft = kept.begin(key(b""), BLOB_TYPE, 0)
        fetch = Fetch(draft, 0, reading=threads, writing=threads)
        upstream = Upstream()
        ended = asyncio.Event()
        fetch.start(upstream.body(), ended.set, seconds=None)
        upstream.send(None)
        with fetch.follow():
            assert [piece async for piece in fetch.pieces()] == []
        await ended.wait()

        entry = kept.find(key(b""))
        assert entry is not None
        with entry:
            assert entry.size == 0

    run(scene())


def test_a_body_that_takes_too_long_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.start(seconds=0.1)
        stage.upstream.send(BODY)

        with pytest.raises(TooLate):
            await stage.read(bytearray())

    run(scene())


def test_a_disk_that_fails_is_not_the_upstreams_fault(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        stage.start()
        reader, writer = os.pipe()
        draft_file = stage.fetch._draft.file
        # A file that was opened to be read cannot be written.
        os.dup2(reader, draft_file.fileno())
        stage.upstream.send(BODY)

        with pytest.raises(DiskFailed):
            await stage.read(bytearray())
        os.close(reader)
        os.close(writer)

    run(scene())


def test_a_failed_fetch_is_not_joined(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        fetches = Fetches()
        assert fetches.under_way(key()) is None
        with fetches.opening(key()) as opening:
            assert fetches.under_way(key()) is opening
            stage.start()
            opening.set_result(stage.fetch)
        assert fetches.under_way(key()) is opening

        stage.fetch.stop()

        assert fetches.under_way(key()) is None
        with fetches.opening(key()) as again:
            fetches.forget(stage.fetch)
            assert fetches.under_way(key()) is again
        # It was opened, but not to be kept.
        assert again.result() is None
        assert fetches.under_way(key()) is None
        await stage.until(lambda: bool(stage.ended))

    run(scene())


def test_a_fetch_whose_file_may_be_closed_is_not_joined(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        fetches = Fetches()
        with fetches.opening(key()) as opening:
            stage.start()
            opening.set_result(stage.fetch)
        stage.upstream.send(BODY, None)
        await stage.read(bytearray())
        await stage.until(lambda: bool(stage.ended))

        # Before it is forgotten: it is found on disk.
        assert fetches.under_way(key()) is None
        assert stage.kept() == BODY

    run(scene())


def test_who_waits_for_an_opening_gets_its_failure() -> None:
    async def fail(fetches: Fetches) -> None:
        with fetches.opening(key()):
            await asyncio.sleep(0.01)
            raise ConnectionResetError

    async def scene() -> None:
        fetches = Fetches()
        opener = asyncio.create_task(fail(fetches))
        await asyncio.sleep(0)
        waiting = fetches.under_way(key())
        assert waiting is not None

        with pytest.raises(ConnectionResetError):
            await asyncio.shield(waiting)
        with pytest.raises(ConnectionResetError):
            await opener
        assert fetches.under_way(key()) is None

    run(scene())


def test_an_edge_that_ends_leaves_nothing_half_written(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(tmp_path)
        fetches = Fetches()
        with fetches.opening(key()) as opening:
            stage.start()
            opening.set_result(stage.fetch)
        got = bytearray()
        reading = asyncio.create_task(stage.read(got))
        stage.upstream.send(BODY[:100])
        await stage.until(lambda: len(got) == 99)

        await fetches.stop()

        with pytest.raises(BodyBroke):
            await reading
        assert stage.upstream.is_closed
        await stage.until(lambda: not stage.files)

    run(scene())
