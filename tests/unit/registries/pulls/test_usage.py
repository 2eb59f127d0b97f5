"""Usage adds up in the database, whatever was deleted before it is written."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from registries.models import CacheUse, LicenseTraffic, PullEvent
from registries.models.usage import FOLDED_DAY
from registries.pulls.events import Counted
from registries.pulls.usage import (
    CacheCounts,
    LicenseDay,
    RegistryDay,
    Usage,
    evictions_today,
    forget_old_usage,
    record_usage,
)
from tests.support.rows.factories import (
    CacheUseFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    LicenseTrafficFactory,
)
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.pulls.test_events import pull_of

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = HOUR.date()


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    """Committed, because foreign keys are checked when a transaction ends."""
    return create_vendor()


def usage_of(vendor: Vendor, license_id: uuid.UUID, registry_id: uuid.UUID) -> Usage:
    usage = Usage()
    team = vendor.team.pk
    usage.traffic[LicenseDay(team, license_id, DAY)] += 100
    counts = CacheCounts(hits=2, misses=1, bytes=80, stale_pulls=1)
    usage.add_cache(RegistryDay(team, registry_id, DAY), counts)
    pull = pull_of(vendor, holder="api-token:1")
    usage.add_pull(pull, Counted(HOUR, 1, 1))
    return usage


def test_usage_of_a_day_adds_up(vendor: Vendor) -> None:
    license, registry = vendor.license(), ExternalRegistryFactory(team=vendor.team)
    usage = usage_of(vendor, license.pk, registry.pk)
    usage.add(usage_of(vendor, license.pk, registry.pk))

    record_usage(usage)
    record_usage(usage_of(vendor, license.pk, registry.pk))

    assert LicenseTraffic.objects.get().bytes == 300
    use = CacheUse.objects.get()
    assert (use.day, use.hits, use.misses, use.bytes) == (DAY, 6, 3, 240)
    assert (use.evictions, use.stale_pulls) == (0, 3)
    event = PullEvent.objects.get()
    assert (event.count, event.stale) == (3, 3)


def test_usage_of_what_is_gone_does_not_hold_up_the_rest(vendor: Vendor) -> None:
    license, registry = vendor.license(), ExternalRegistryFactory(team=vendor.team)
    usage = usage_of(vendor, uuid.uuid4(), uuid.uuid4())
    usage.add(usage_of(vendor, LicenseFactory().pk, ExternalRegistryFactory().pk))
    usage.add(usage_of(vendor, license.pk, registry.pk))

    record_usage(usage)

    assert LicenseTraffic.objects.get().license_id == license.pk
    assert CacheUse.objects.get().registry_id == registry.pk


@pytest.mark.django_db
def test_evictions_belong_to_the_team_of_the_registry() -> None:
    registry = ExternalRegistryFactory()

    record_usage(evictions_today(Counter({registry.pk: 3, uuid.uuid4(): 9})))

    use = CacheUse.objects.get()
    assert (use.team_id, use.evictions) == (registry.team_id, 3)


@pytest.mark.django_db
def test_old_days_are_folded_so_that_totals_do_not_fall() -> None:
    today = timezone.now().date()
    registry = ExternalRegistryFactory()
    license = LicenseFactory()
    for days in (0, 91, 93, 94, 500):
        day = today - timedelta(days=days)
        CacheUseFactory(registry=registry, day=day, hits=1, evictions=days)
        LicenseTrafficFactory(license=license, day=day)

    for _ in range(2):
        forget_old_usage()
        rows = CacheUse.objects.order_by("day").values_list("day", "hits", "evictions")
        assert list(rows) == [
            (FOLDED_DAY, 3, 93 + 94 + 500),
            (today - timedelta(days=91), 1, 91),
            (today, 1, 0),
        ]
    assert LicenseTraffic.objects.count() == 4
