"""A bulk request that PostgreSQL ended for a deadlock is done again, and once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

from alerts.models import Alert
from licenses.models import Application, License, Notice, PullCredential
from tests.support.clients.api import ApiClient
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    CustomerFactory,
    WebhookFactory,
)

T = TypeVar("T")


def lock(application: Application) -> None:
    """Keep others from issuing licenses of an application, to the transaction's end."""
    Application.objects.select_for_update().get(pk=application.pk)


@transaction.atomic
def lock_both(first: Application, second: Application) -> None:
    lock(first)
    lock(second)


def closing(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    finally:
        connection.close()


def wait_for_locks(number: int, *, beyond_the_check: bool = False) -> None:
    """Wait until so many connections wait for a lock.

    A connection looks for a deadlock once, after ``deadlock_timeout``. Only one that is
    ``beyond_the_check`` can be in a deadlock that another connection has to end.
    """
    timeouts = 2 if beyond_the_check else 0
    deadline = time.monotonic() + 20
    waiting = 0
    while waiting != number:
        assert time.monotonic() < deadline, f"{waiting} wait, not {number}"
        time.sleep(0.01)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE waitstart < "
                "clock_timestamp() - %s * "
                "current_setting('deadlock_timeout')::interval",
                [timeouts],
            )
            [waiting] = cursor.fetchone()


def test_licenses_are_issued_once_after_a_deadlock(
    transactional_db: None, owner_api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The request holds the first application, and another connection the last.

    That one already waits for the first, so the request closes the circle when it asks
    for the last. Until then the one between them holds the request up.
    """
    for event in ("license.issued", "pull_credential.created"):
        WebhookFactory(team=owner_api.team, events=[event])
    customer = CustomerFactory(team=owner_api.team)
    applications = ApplicationFactory.create_batch(3, team=owner_api.team)
    # As they are locked when licenses are issued.
    first, between, last = sorted(applications, key=lambda item: item.pk)
    items = [
        {
            "customer": str(customer.pk),
            "application": application.slug,
            "type": kind,
            "pull_credential": {"name": "cluster"},
        }
        for application in applications
        for kind in ("paid", "trial")
    ]
    body = {"items": [*items, {"type": "gold"}]}

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            lock(between)
            sent = threads.submit(closing, owner_api.post, "/licenses/bulk/issue", body)
            wait_for_locks(1)
            other = threads.submit(closing, lock_both, last, first)
            wait_for_locks(2, beyond_the_check=True)
        other.result()
        response = sent.result()

    assert response.status_code == 200
    assert "_BulkView.answer is repeated: deadlock detected" in caplog.text
    *done, refused = response.json()["results"]
    assert [result["index"] for result in done] == list(range(len(items)))
    assert [
        (row["license"]["application"], row["license"]["type"]) for row in done
    ] == [(item["application"], item["type"]) for item in items]
    assert refused["status"] == 400
    number = len(items)
    stored = {str(license.pk) for license in License.objects.all()}
    assert {row["license"]["id"] for row in done} == stored
    assert len(stored) == number
    assert {row["license"]["pull_credential"]["id"] for row in done} == {
        str(row.pk) for row in PullCredential.objects.all()
    }
    assert PullCredential.objects.count() == number
    assert Counter(tag for tag, _ in audited(owner_api.team)) == {
        "license:issued": number,
        "license:id-revealed": number,
        "pull-credential:created": number,
    }
    assert Counter(Alert.objects.values_list("event", flat=True)) == {
        "license.issued": number,
        "pull_credential.created": number,
    }
    assert Notice.objects.filter(kind="license_issued").count() == number
