"""Checks outlive what happens to workers, broker and database; none is made twice.

In each test a registry is about to be called bad: its next check confirms a refusal,
so an alert is sent, whose number is what matters.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.check_stack import (
    LOGIN,
    WRONG,
    CheckStack,
    kill,
    start_check_stack,
)

_numbers = itertools.count()
DUE = "UPDATE registries_externalregistry SET next_check_at = now() WHERE slug = %s"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckStack]:
    with start_check_stack(tmp_path_factory.mktemp("checks")) as found:
        yield found


@pytest.fixture
def stack(servers: CheckStack) -> Iterator[CheckStack]:
    yield servers
    servers.stop_workers()
    servers.fake.delay_seconds = 0
    servers.fake.asked = 0
    servers.receiver.received.clear()
    for file in (servers.directory / "mail").iterdir():
        file.unlink()
    # So that no worker of the next test has to do with them.
    servers.sql("UPDATE registries_externalregistry SET next_check_at = 'infinity'")


class Registries:
    """A team with some good registries and a bad one, all due."""

    def __init__(self, stack: CheckStack, number: int) -> None:
        self.stack = stack
        self.team = f"team{next(_numbers)}"
        self.good = [f"{self.team}-{each}" for each in range(number)]
        self.bad = f"{self.team}-bad"
        stack.seed("team", slug=self.team)
        stack.seed("webhook", team=self.team, url=stack.receiver.url)
        for slug in self.good:
            self._connect(slug, LOGIN)
        self._connect(self.bad, WRONG)
        stack.sql(
            "UPDATE registries_externalregistry SET suspect = 'rejected', failures = 1"
            " WHERE slug = %s",
            self.bad,
        )

    def _connect(self, slug: str, login: tuple[str, str]) -> None:
        self.stack.seed(
            "registry",
            team=self.team,
            endpoint=self.stack.fake.endpoint,
            slug=slug,
            username=login[0],
            password=login[1],
        )

    def checks(self) -> dict[str, list[str]]:
        """Return the outcomes of the checks of each registry that has been checked."""
        rows = self.stack.sql(
            "SELECT slug, array_agg(outcome) FROM registries_credentialcheck checks"
            " JOIN registries_externalregistry registries"
            " ON registries.id = checks.registry_id"
            " WHERE slug LIKE %s GROUP BY slug",
            f"{self.team}-%",
        )
        return dict(rows)

    def checked(self, times: int = 1) -> dict[str, list[str]]:
        """Return what ``checks`` is once each has been checked so often."""
        good: dict[str, list[str]] = {slug: ["valid"] * times for slug in self.good}
        return good | {self.bad: ["rejected"] * times}

    def wait_until_checked(self, times: int = 1) -> None:
        def is_checked() -> bool:
            return self.checks() == self.checked(times)

        self.stack.wait_for(f"checked {times} times each", is_checked)

    def claimed(self) -> int:
        ((number,),) = self.stack.sql(
            "SELECT count(*) FROM registries_externalregistry"
            " WHERE slug LIKE %s AND claimed_until IS NOT NULL",
            f"{self.team}-%",
        )
        return int(number)

    def wait_until_under_way(self) -> None:
        number = len(self.good) + 1
        self.stack.wait_for("asked", lambda: self.stack.fake.asked >= number)
        assert self.claimed() == number
        assert self.checks() == {}

    def wait_for_another_round(self) -> None:
        """Return when a registry that is due only now has been checked."""
        later = f"{self.team}-{len(self.good)}"
        self._connect(later, LOGIN)
        self.good.append(later)
        self.stack.wait_for("another round", lambda: later in self.checks())

    def assert_told_once(self) -> None:
        """Pass if all were checked once, and the bad one was told of once."""
        stack = self.stack
        told = [
            (
                f"{role}@{self.team}.example",
                f"A registry refuses its credential: {self.bad}",
            )
            for role in ("admin", "owner")
        ]
        stack.wait_for("a webhook", lambda: len(stack.receiver.received) > 0)
        stack.wait_for("mails", lambda: len(stack.mails()) >= len(told))
        self.wait_for_another_round()
        assert self.checks() == self.checked()
        assert self.claimed() == 0
        assert stack.mails() == told
        assert len(stack.receiver.received) == 1
        health = stack.sql(
            "SELECT DISTINCT health, suspect FROM registries_externalregistry"
            " WHERE slug LIKE %s ORDER BY health",
            f"{self.team}-%",
        )
        assert health == [("rejected", "rejected"), ("valid", "")]


def test_a_worker_killed_in_mid_check(stack: CheckStack) -> None:
    registries = Registries(stack, 2)
    stack.fake.delay_seconds = 300
    worker = stack.start_worker()
    registries.wait_until_under_way()

    kill(worker)
    stack.fake.delay_seconds = 0
    stack.start_worker()
    registries.wait_for_another_round()
    assert registries.claimed() == 3  # by the worker that was killed
    assert len(registries.checks()) == 1

    stack.sql(  # two minutes later
        "UPDATE registries_externalregistry SET claimed_until = now()"
        " WHERE claimed_until IS NOT NULL"
    )
    registries.assert_told_once()


def test_a_broker_that_loses_what_was_queued(stack: CheckStack) -> None:
    registries = Registries(stack, 2)
    stack.start_worker()
    registries.assert_told_once()
    stack.fake.delay_seconds = 3
    stack.fake.asked = 0
    for slug in registries.good:
        stack.sql(DUE, slug)
    stack.wait_for("asked", lambda: stack.fake.asked > 0)

    # What is under way is written down without a broker, and later goes on with it.
    stack.restart_valkey(
        lambda: stack.wait_for("written", lambda: not registries.claimed())
    )
    registries.wait_for_another_round()


def test_a_database_that_is_restarted(stack: CheckStack) -> None:
    registries = Registries(stack, 4)
    stack.fake.delay_seconds = 5
    stack.start_worker()
    registries.wait_until_under_way()

    stack.restart_postgres()
    stack.fake.delay_seconds = 0
    registries.wait_until_checked()
    registries.assert_told_once()


def test_two_beats_and_two_workers(stack: CheckStack) -> None:
    registries = Registries(stack, 20)
    for _ in range(2):
        stack.start_worker()

    registries.wait_until_checked()
    registries.assert_told_once()
