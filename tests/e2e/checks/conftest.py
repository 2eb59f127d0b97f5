"""Real workers, which tests start, kill and leave without their servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stacks.check_stack import CheckStack, start_check_stack


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckStack]:
    with start_check_stack(tmp_path_factory.mktemp("checks")) as servers:
        yield servers


@pytest.fixture
def stack(servers: CheckStack) -> Iterator[CheckStack]:
    servers.fake.delay_seconds = 0
    servers.fake.asked = 0
    servers.receiver.received.clear()
    servers.receiver.delay_seconds, servers.receiver.slow_path = 0, ""
    for file in (servers.directory / "mail").iterdir():
        file.unlink()
    servers.end_mailing()
    # So that this test's workers leave the registries of others alone.
    servers.sql("UPDATE registries_externalregistry SET next_check_at = 'infinity'")
    yield servers
    servers.stop_workers()
