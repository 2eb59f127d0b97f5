"""``pull.refused``: once per license, reason and hour, over all edges."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from alerts.events import Event
from alerts.models import Alert
from alerts.services import create_webhook
from registries.models import PullEvent
from registries.models.outcomes import FAILURES
from registries.models.pulls import PRIVATE_REGISTRY_ID
from registries.pulls.events import Counted, Pull
from registries.pulls.usage import Usage, record_usage
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.pulls.test_events import HOUR, pull_of

HOURS = timedelta(hours=2)


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    """A vendor with a webhook; committed, so that several edges see it."""
    vendor = create_vendor()
    create_webhook(
        actor=vendor.actor,
        team=vendor.team,
        name="Automation",
        url="https://hooks.example.com/berth",
        events=[Event.PULL_REFUSED.value],
    )
    return vendor


def write(*pulls: Pull, minute: int = 0) -> None:
    """Write what an edge has counted."""
    at = HOUR + timedelta(minutes=minute)
    record_usage(Usage({pull: Counted(at) for pull in pulls}))


def told() -> list[tuple[Any, str]]:
    alerts = Alert.objects.order_by("created_at", "key")
    return [(alert.subject_id, alert.data["reason"]) for alert in alerts]


def test_the_first_of_a_kind_in_an_hour_is_told(vendor: Vendor) -> None:
    license, other = vendor.license(), vendor.license()
    revoked = pull_of(vendor, license, outcome="license_revoked")

    write(revoked)
    write(revoked, revoked._replace(reference="v2"), minute=1)
    assert told() == [(license.pk, "license_revoked")]

    write(revoked._replace(outcome="repository_not_allowed"), minute=2)
    write(pull_of(vendor, other, outcome="license_revoked"), minute=3)
    write(revoked._replace(hour=HOUR + timedelta(hours=1)), minute=60)
    assert sorted(told()) == sorted(
        [
            (license.pk, "license_revoked"),
            (license.pk, "repository_not_allowed"),
            (other.pk, "license_revoked"),
            (license.pk, "license_revoked"),
        ]
    )


def test_it_names_the_image_and_when_it_was_refused(vendor: Vendor) -> None:
    license = vendor.license()
    proxied = pull_of(vendor, license, outcome="license_revoked")
    private = proxied._replace(registry_id=PRIVATE_REGISTRY_ID, hour=HOUR + HOURS)
    slug = vendor.application.slug

    later = Counted(HOUR + timedelta(minutes=2))
    pulls = {proxied._replace(reference="v9"): later, proxied: Counted(HOUR)}
    record_usage(Usage(pulls))
    write(private)

    first, second = Alert.objects.order_by("created_at")
    assert first.data["image"] == f"proxy/{slug}/sample/api:v1"
    assert first.data["at"] == HOUR.isoformat()
    assert first.message == (
        f"A pull of proxy/{slug}/sample/api:v1 with the license of Example Corp for "
        f"{slug} was refused: License revoked."
    )
    assert second.data["image"] == f"{slug}/sample/api:v1"


def test_it_names_the_pull_credential(vendor: Vendor) -> None:
    license = vendor.license()
    farm, text = pull_credential(license, name="farm")
    other, _ = pull_credential(license, name="other")
    farms, others, ids = [
        pull_of(vendor, license, outcome="license_revoked", credential_id=pk, holder=by)
        for pk, by in (
            (farm.pk, f"pull-credential:{farm.pk}"),
            (other.pk, f"pull-credential:{other.pk}"),
            (None, f"license:{license.pk}"),
        )
    ]

    write(farms)
    write(others, ids, minute=1)

    alert = Alert.objects.get()
    assert "with the pull credential farm of the license of " in alert.message
    assert alert.data["credential"]["id"] == str(farm.pk)
    assert text not in str(alert.data)
    write(ids._replace(hour=HOUR + HOURS), minute=120)
    by_id = Alert.objects.exclude(pk=alert.pk).get()
    assert by_id.data["credential"] is None
    assert "with the license of " in by_id.message


@pytest.mark.parametrize(
    "outcome", ["credential_revoked", "credential_expired", "network_not_allowed"]
)
def test_a_reason_of_one_credential_is_told_for_each(
    vendor: Vendor, outcome: str
) -> None:
    license = vendor.license()
    for name in ("farm", "other"):
        row, _ = pull_credential(license, name=name)
        pull = pull_of(vendor, license, outcome=outcome, credential_id=row.pk)
        pull = pull._replace(holder=f"pull-credential:{row.pk}")
        write(pull, pull._replace(reference="v2"))
        write(pull, minute=1)

    alerts = Alert.objects.order_by("created_at")
    assert [alert.data["credential"]["name"] for alert in alerts] == ["farm", "other"]


@pytest.mark.parametrize("outcome", ["allowed", *FAILURES])
def test_what_berth_allowed_is_not_told(vendor: Vendor, outcome: str) -> None:
    write(pull_of(vendor, vendor.license(), outcome=outcome))

    assert told() == []
    assert PullEvent.objects.count() == 1


def test_pulls_of_vendors_and_of_what_is_gone_are_not_told(vendor: Vendor) -> None:
    license = vendor.license()
    gone = pull_of(vendor, license, outcome="license_revoked")
    type(license).objects.filter(pk=license.pk).delete()

    write(gone, pull_of(vendor, outcome="application_mismatch"))

    assert told() == []


def test_without_a_webhook_nothing_is_told(transactional_db: None) -> None:
    vendor = create_vendor()

    write(pull_of(vendor, vendor.license(), outcome="license_revoked"))

    assert told() == []


def test_edges_that_refuse_at_once_tell_it_once(vendor: Vendor) -> None:
    licenses = [vendor.license() for _ in range(8)]
    pulls = [pull_of(vendor, each, outcome="license_revoked") for each in licenses]

    edges = [lambda: write(*pulls), lambda: write(*reversed(pulls))]
    at_once(*edges, *edges)

    assert sorted(told()) == sorted((each.pk, "license_revoked") for each in licenses)
    assert {event.count for event in PullEvent.objects.all()} == {4}


def at_once(*edges: Callable[[], None]) -> None:
    start = threading.Barrier(len(edges), timeout=20)

    def run(edge: Callable[[], None]) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            edge()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(edges)) as threads:
        for ran in [threads.submit(run, edge) for edge in edges]:
            ran.result()
