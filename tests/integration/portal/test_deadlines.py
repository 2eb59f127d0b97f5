"""How long work waits for PostgreSQL; tests/e2e/checks/test_frozen.py freezes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.test import Client
from psycopg.errors import QueryCanceled

from portal.database.deadlines import (
    seconds_left,
    waiting_as_long_as_it_takes,
    waiting_at_most,
)
from portal.database.outage import STATEMENT_TIMEOUT_SECONDS


@pytest.fixture(autouse=True)
def fresh_connection(transactional_db: None) -> Iterator[None]:
    connection.close()
    yield
    connection.close()


def sleep(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def test_a_wait_ends_at_its_deadline_and_the_next_one_at_once() -> None:
    started = time.monotonic()
    with waiting_at_most(1):
        with pytest.raises(OperationalError, match="did not answer in time"):
            sleep(30)
        connection.close()
        with pytest.raises(OperationalError):
            sleep(0)

    assert 1 <= time.monotonic() - started < 10
    sleep(0)  # other work has its own time, and a new connection


def test_a_deadline_is_for_all_statements_together() -> None:
    with waiting_at_most(2):
        with waiting_at_most(1):
            sleep(0.6)
            with pytest.raises(OperationalError):
                sleep(0.6)
        assert seconds_left() <= 1
        assert seconds_left() > 0


def test_a_slow_statement_of_a_request_ends_without_an_outage() -> None:
    with waiting_at_most(60):
        with pytest.raises(OperationalError) as caught:
            sleep(STATEMENT_TIMEOUT_SECONDS + 20)
        connection.close()
        sleep(0)

    assert isinstance(caught.value.__cause__, QueryCanceled)


def test_a_command_waits_as_long_as_it_takes() -> None:
    with waiting_as_long_as_it_takes():
        sleep(STATEMENT_TIMEOUT_SECONDS + 2)
        assert seconds_left() > 10**6


def test_a_page_that_waits_for_a_lock_is_503(client: Client) -> None:
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN; LOCK TABLE teams_user")
                held.set()
                released.wait(20)
                cursor.execute("ROLLBACK")
        finally:
            connection.close()

    client.raise_request_exception = False
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(20)
    started = time.monotonic()
    try:
        response = client.get("/")
    finally:
        released.set()
        holder.join()

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert time.monotonic() - started < 10
