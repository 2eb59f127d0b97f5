"""Calls to the database: how long they wait, and what becomes visible of failures."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator
from functools import partial

import pytest
from django.db import OperationalError

from edge import facts, turns
from edge.facts import in_time
from edge.threads import DatabaseThreads, FairThreads, NoThreadFree
from portal.http.scraping import exposition
from portal.limits import fair_share
from portal.limits.fair_share import FairShare, ShareExceeded


@pytest.fixture
def name() -> str:
    """Return a name of this test's own, as others' metrics may still be there."""
    return f"test-{uuid.uuid4()}"


@pytest.fixture
async def one_thread(name: str) -> AsyncIterator[DatabaseThreads]:
    threads = DatabaseThreads(1, name=name)
    yield threads
    await threads.aclose()


@pytest.fixture
async def fair(name: str) -> AsyncIterator[FairThreads]:
    share = FairShare(f"{name}-calls", total=10, each=10)
    threads = FairThreads(2, name=name, each=1, share=share)
    yield threads
    await threads.aclose()


def metric(name: str, **labels: str) -> float:
    text = exposition(fair_share.collect).decode()
    listed = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    line = f"{name}{{{listed}}} "
    (value,) = [row for row in text.splitlines() if row.startswith(line)]
    return float(value.removeprefix(line))


async def test_a_call_for_which_no_thread_was_free_is_counted(
    one_thread: DatabaseThreads, name: str
) -> None:
    resource = f"edge-{name}-threads"
    release = threading.Event()
    first = asyncio.ensure_future(one_thread.call(partial(release.wait, 20)))
    await asyncio.sleep(0.1)

    assert metric("berth_share_in_use", resource=resource) == 1
    with pytest.raises(NoThreadFree):
        await one_thread.call(int, seconds=0.1)

    release.set()
    await first
    refused = partial(metric, "berth_share_refused_total")
    assert refused(limit="all", resource=resource) == 1
    assert metric("berth_share_in_use", resource=resource) == 0


async def test_a_turn_that_did_not_come_is_counted(
    fair: FairThreads, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.1)
    release = threading.Event()
    first = asyncio.ensure_future(fair.call_for("acme", partial(release.wait, 20)))
    await asyncio.sleep(0.1)

    with pytest.raises(ShareExceeded):
        await fair.call_for("acme", int)

    release.set()
    await first
    assert (
        metric("berth_share_refused_total", limit="own", resource=f"{name}-calls") == 1
    )


async def test_the_calls_of_one_request_have_one_deadline(
    fair: FairThreads, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "WHOLE_SECONDS", 0.5)

    async def ask() -> None:
        async with in_time():
            for _ in range(10):
                await fair.call_for("acme", partial(time.sleep, 0.3))

    started = time.monotonic()

    with pytest.raises(OperationalError):
        await ask()

    assert time.monotonic() - started < 2
    assert metric("berth_share_in_use", resource=f"{name}-calls") == 0


async def test_a_failure_in_the_background_is_logged(
    one_thread: DatabaseThreads, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no such registry")

    one_thread.start(fail)
    await one_thread.call(int)

    assert "no such registry" in caplog.text
