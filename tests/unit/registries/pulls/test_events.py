"""Counted pulls reach the database, whatever was deleted before they are written."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from licenses.models import License
from registries.models import PullEvent, PullHour
from registries.pulls.events import (
    PULLS_KEPT,
    Counted,
    Pull,
    add_pulls,
    delete_old_pull_events,
    record_pull,
)
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor, create_vendor

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    """Committed, because foreign keys are checked when a transaction ends."""
    return create_vendor()


def pull_of(vendor: Vendor, license: License | None = None, **changes: object) -> Pull:
    found = Pull(
        team_id=vendor.team.pk,
        hour=HOUR,
        application_slug=vendor.application.slug,
        holder=f"license:{license.pk}" if license else f"api-token:{uuid.uuid4()}",
        license_id=license.pk if license else None,
        registry_id=None,
        repository="sample/api",
        reference="v1",
        outcome="allowed",
    )
    return found._replace(**changes)  # type: ignore[arg-type]  # one of each kind


def test_counts_of_one_hour_add_up(vendor: Vendor) -> None:
    pull = pull_of(vendor, vendor.license())

    add_pulls({pull: Counted(HOUR, 2, stale=1)})
    add_pulls({pull: Counted(HOUR + timedelta(minutes=2), 3, stale=2)})
    record_pull(pull, HOUR + timedelta(minutes=1))

    event = PullEvent.objects.get()
    assert (event.count, event.stale) == (6, 3)
    assert event.last_at == HOUR + timedelta(minutes=2)


def test_pulls_of_what_is_gone_do_not_hold_up_the_others(vendor: Vendor) -> None:
    """An edge keeps what it could not write, and tries it with all that follows."""
    license = vendor.license()
    gone_team = pull_of(vendor, team_id=uuid.uuid4())
    gone_license = pull_of(vendor, license, license_id=uuid.uuid4())
    kept = pull_of(vendor, license)

    once = Counted(HOUR)
    add_pulls({gone_team: once, gone_license: once, kept: Counted(HOUR, 4)})

    event = PullEvent.objects.get()
    assert (event.license_id, event.count) == (license.pk, 4)


def test_a_pull_credential_names_its_license_and_itself(vendor: Vendor) -> None:
    license = vendor.license()
    credential, _ = pull_credential(license, name="cluster")
    theirs, _ = pull_credential(create_vendor().license())
    by_it = pull_of(vendor, holder="x", credential_id=credential.pk)
    others = [
        pull_of(vendor, holder="y", credential_id=credential_id)
        for credential_id in (theirs.pk, uuid.uuid4())
    ]

    add_pulls({pull: Counted(HOUR) for pull in (by_it, *others)})
    add_pulls({by_it: Counted(HOUR)})

    event = PullEvent.objects.get()
    assert (event.license_id, event.credential_id) == (license.pk, credential.pk)
    assert (event.credential_name, event.count) == ("cluster", 2)


def test_hours_have_the_sums_of_their_pulls(vendor: Vendor) -> None:
    license, later = vendor.license(), HOUR + timedelta(hours=1)
    allowed = pull_of(vendor, license)
    refused = pull_of(vendor, license, outcome="license_expired")

    add_pulls({allowed: Counted(HOUR, 2), refused: Counted(HOUR, 3)})
    add_pulls({allowed: Counted(HOUR, 4), pull_of(vendor, hour=later): Counted(later)})

    hours = PullHour.objects.for_team(vendor.team.pk).order_by("hour")
    assert list(hours.values_list("hour", "allowed", "refused")) == [
        (HOUR, 6, 3),
        (later, 1, 0),
    ]


def test_hours_lack_pulls_that_are_not_counted(vendor: Vendor) -> None:
    gone = pull_of(vendor, license_id=uuid.uuid4())

    assert add_pulls({gone: Counted(HOUR)}) == {}

    assert not PullHour.objects.exists()


def test_old_hours_are_deleted_with_their_pulls(vendor: Vendor) -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for at in (now, now - PULLS_KEPT - timedelta(hours=1)):
        add_pulls({pull_of(vendor, hour=at): Counted(at)})

    assert delete_old_pull_events() == 1

    assert PullEvent.objects.get().hour == now
    assert PullHour.objects.get().hour == now
