"""Transactions that PostgreSQL ends for a deadlock are repeated, a few times."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, QueryCanceled

from portal.database.retry import TRIES, atomic_with_retry
from teams.models import Team
from tests.support.rows.factories import TeamFactory


def test_crossing_locks_are_resolved(transactional_db: None) -> None:
    left, right = TeamFactory(), TeamFactory()
    both_hold_one = threading.Barrier(2, timeout=10)

    def rename(first: Team, second: Team, name: str) -> None:
        tries = 0

        @atomic_with_retry
        def change() -> None:
            nonlocal tries
            tries += 1
            Team.objects.filter(pk=first.pk).update(name=name)
            if tries == 1:
                both_hold_one.wait()
            Team.objects.filter(pk=second.pk).update(name=name)

        try:
            change()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        renamed = [
            threads.submit(rename, left, right, "one"),
            threads.submit(rename, right, left, "two"),
        ]
        for result in renamed:
            result.result()

    assert len(set(Team.objects.values_list("name", flat=True))) == 1


@pytest.mark.parametrize(
    ("reason", "times"), [(DeadlockDetected(), TRIES), (QueryCanceled(), 1)]
)
def test_it_gives_up_at_last(
    reason: Exception, times: int, transactional_db: None
) -> None:
    tries = 0

    @atomic_with_retry
    def fail() -> None:
        nonlocal tries
        tries += 1
        raise OperationalError from reason

    with pytest.raises(OperationalError):
        fail()
    assert tries == times


def test_a_transaction_within_another_is_not_repeated(transactional_db: None) -> None:
    tries = 0

    @atomic_with_retry
    def fail() -> None:
        nonlocal tries
        tries += 1
        raise OperationalError from DeadlockDetected()

    with pytest.raises(OperationalError), transaction.atomic():
        fail()
    assert tries == 1
