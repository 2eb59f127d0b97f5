"""Checks and alerts survive outages of workers, broker, database and mail server.

None is made or sent twice.

In each test one registry is about to be rejected: its next check confirms a refusal and
raises one alert.
"""

from __future__ import annotations

import itertools
import time

import pytest

from tests.support.servers.canned_server import silent_server
from tests.support.stacks.check_stack import (
    LOGIN,
    WRONG,
    CheckStack,
    kill,
)
from tests.support.stacks.freezing import frozen

_numbers = itertools.count()
DUE = "UPDATE registries_externalregistry SET next_check_at = now() WHERE slug = %s"


class Registries:
    """A team with some good registries and a bad one, all due."""

    def __init__(self, stack: CheckStack, number: int) -> None:
        self.stack = stack
        self.team = f"team{next(_numbers)}"
        self.good = [f"{self.team}-{index}" for index in range(number)]
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
            credential=login,
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

    def mails(self) -> list[tuple[str, str]]:
        """Return who is told by mail of the bad one, and how."""
        subject = f"A registry rejects its credential: {self.bad}"
        return [(f"{role}@{self.team}.example", subject) for role in ("admin", "owner")]

    def delivered(self) -> dict[str, tuple[str, int]]:
        """Return what ``deliveries`` is once every first attempt succeeded."""
        recipients = ["Pager", *(address for address, _ in self.mails())]
        return dict.fromkeys(recipients, ("delivered", 1))

    def deliveries(self) -> dict[str, tuple[str, int]]:
        """Return the state and attempts of deliveries by their recipient."""
        rows = self.stack.sql(
            "SELECT coalesce(webhooks.name, users.email), state, attempts"
            " FROM alerts_delivery deliveries"
            " JOIN teams_team teams ON teams.id = deliveries.team_id"
            " LEFT JOIN alerts_webhook webhooks ON webhooks.id = webhook_id"
            " LEFT JOIN teams_user users ON users.id = user_id WHERE slug = %s",
            self.team,
        )
        return {recipient: (state, attempts) for recipient, state, attempts in rows}

    def wait_until_delivered(self, expected: dict[str, tuple[str, int]]) -> None:
        """Return once the deliveries are these and no others."""
        self.stack.wait_for(f"{expected}", lambda: self.deliveries() == expected)

    def make_deliveries_due(self) -> None:
        """Have it be later than the next attempts, and than the end of all claims."""
        self.stack.sql("UPDATE alerts_delivery SET due_at = now()")
        self.stack.end_mailing()

    def assert_reported_once(self) -> None:
        """Pass if all were checked once, and the bad one was reported once."""
        stack, expected = self.stack, self.mails()
        stack.wait_for("a webhook", lambda: len(stack.receiver.received) > 0)
        stack.wait_for("mails", lambda: len(stack.mails()) >= len(expected))
        self.wait_for_another_round()
        assert self.checks() == self.checked()
        assert self.claimed() == 0
        assert stack.mails() == expected
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
    registries.assert_reported_once()


@pytest.mark.expected_traceback(
    r"Error 111 connecting to 127\.0\.0\.1", "Connection closed by server"
)
def test_a_broker_that_loses_what_was_queued(stack: CheckStack) -> None:
    registries = Registries(stack, 2)
    stack.start_worker()
    registries.assert_reported_once()
    stack.fake.delay_seconds = 3
    stack.fake.asked = 0
    for slug in registries.good:
        stack.sql(DUE, slug)
    stack.wait_for("asked", lambda: stack.fake.asked > 0)

    # Running checks are recorded without a broker, and the next ones use the new one.
    stack.restart_valkey(
        lambda: stack.wait_for("written", lambda: not registries.claimed())
    )
    registries.wait_for_another_round()


@pytest.mark.expected_traceback("OperationalError", "AdminShutdown")
def test_a_database_that_is_restarted(stack: CheckStack) -> None:
    registries = Registries(stack, 4)
    stack.fake.delay_seconds = 5
    stack.start_worker()
    registries.wait_until_under_way()

    stack.restart_postgres()
    stack.fake.delay_seconds = 0
    registries.wait_until_checked()
    registries.assert_reported_once()


@pytest.mark.expected_traceback("OperationalError")
def test_a_database_that_is_frozen(stack: CheckStack) -> None:
    registries = Registries(stack, 4)
    stack.fake.delay_seconds = 2
    worker = stack.start_worker()
    registries.wait_until_under_way()

    with frozen(stack.postgres):
        time.sleep(8)
    stack.fake.delay_seconds = 0
    registries.wait_until_checked()
    registries.assert_reported_once()
    assert worker.exit_code is None


def test_two_beats_and_two_workers(stack: CheckStack) -> None:
    registries = Registries(stack, 20)
    for _ in range(2):
        stack.start_worker()

    registries.wait_until_checked()
    registries.assert_reported_once()


def test_a_worker_killed_while_it_sends_alerts(stack: CheckStack) -> None:
    registries = Registries(stack, 0)
    receiver = stack.receiver
    receiver.delay_seconds, receiver.slow_path = 300, "/hook/slow"
    slow = receiver.url + "/slow"
    stack.seed("webhook", team=registries.team, called="Slow", url=slow)
    worker = stack.start_worker()
    stack.wait_for(
        "a quick and a slow one posted",
        lambda: (
            len(receiver.received) == 2
            and registries.deliveries()["Pager"] == ("delivered", 1)
        ),
    )
    assert registries.deliveries()["Slow"] == ("pending", 0)

    kill(worker)
    receiver.delay_seconds = 0
    registries.make_deliveries_due()
    stack.start_worker()
    registries.wait_until_delivered(registries.delivered() | {"Slow": ("delivered", 1)})
    registries.make_deliveries_due()
    registries.wait_for_another_round()
    # It may have been killed between sending a mail and recording it.
    assert set(stack.mails()) == set(registries.mails())
    assert sorted(got.path for got in receiver.received) == [
        *("/hook", "/hook/slow", "/hook/slow"),
    ]
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


@pytest.mark.expected_traceback("OperationalError", "AdminShutdown")
def test_a_database_that_is_restarted_while_alerts_are_sent(stack: CheckStack) -> None:
    registries = Registries(stack, 0)
    stack.receiver.delay_seconds = 5
    stack.start_worker()
    stack.wait_for("posted", lambda: len(stack.receiver.received) == 1)

    stack.restart_postgres()
    stack.receiver.delay_seconds = 0
    registries.wait_until_delivered(registries.delivered())
    registries.assert_reported_once()


@pytest.mark.expected_traceback("TimeoutError: timed out")
def test_a_mail_server_that_hangs(stack: CheckStack) -> None:
    registries = Registries(stack, 0)
    delivered = registries.delivered()
    mails = [recipient for recipient in delivered if recipient != "Pager"]
    with silent_server() as endpoint:
        worker = stack.start_worker(EMAIL_URL=f"smtp://{endpoint}")
        # No mail has come to an end yet when the webhook has.
        registries.wait_until_delivered(
            delivered | dict.fromkeys(mails, ("pending", 0))
        )
        # All mails have failed as soon as one has.
        registries.wait_until_delivered(
            delivered | dict.fromkeys(mails, ("pending", 1))
        )
        worker.stop()

    stack.start_worker()
    registries.make_deliveries_due()
    registries.wait_until_delivered(delivered | dict.fromkeys(mails, ("delivered", 2)))
    registries.assert_reported_once()
