"""With nobody to ask, a full cache gives nothing after 0.8 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.e2e.data_plane.conftest import (
    REMEMBERED_SECONDS,
    DataPlane,
    puller_of,
)
from tests.support.clients.edge import Answer
from tests.support.rows.vendor import Vendor
from tests.support.stacks.freezing import frozen

CONTENT = b"kept" * 5000
# What nginx waits for an answer, and something for two busy cores.
FROZEN_SECONDS = 15 + 10


@contextmanager
def _killed(plane: DataPlane) -> Iterator[None]:
    plane.edge.process.stop()
    yield


@contextmanager
def _frozen(plane: DataPlane) -> Iterator[None]:
    with frozen(plane.edge.process):
        yield


@pytest.mark.parametrize("end", [_killed, _frozen])
def test_nothing_is_allowed_after_0_8_seconds(
    own_plane: DataPlane,
    counted: Vendor,
    end: Callable[[DataPlane], AbstractContextManager[None]],
) -> None:
    puller = puller_of(own_plane, counted)
    digest = puller.keep(CONTENT)
    assert puller.get(f"blobs/{digest}").body == CONTENT

    with end(own_plane):
        ended = time.monotonic()
        last = ended
        while (answer := puller.get(f"blobs/{digest}")).status == 200:
            last = time.monotonic()
        took = time.monotonic() - last
        away = [answer, puller.get("manifests/v1")] if end is _killed else [answer]

    assert last - ended < REMEMBERED_SECONDS + 0.1
    assert took < FROZEN_SECONDS
    for item in away:
        _check_away(item)
    lines = own_plane.pulled(puller.name)
    assert {line["status"] for line in lines} == {200}


def _check_away(answer: Answer) -> None:
    assert (answer.status, answer.error[0]) == (503, "UNAVAILABLE")
    assert answer.error[1].startswith("The registry cannot be reached, or licenses")
    assert answer.headers.getlist("Retry-After") == ["5"]
    assert answer.headers.getlist("Docker-Distribution-Api-Version") == ["registry/2.0"]
