"""Choosing what to check, and checking it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from registries.checks.queue import (
    check_credentials,
    check_due_registries,
    claim_due,
    make_all_due,
)
from registries.models import Credential, CredentialCheck, ExternalRegistry
from tests.support.rows.factories import CredentialFactory, ExternalRegistryFactory
from tests.support.rows.locking import locked_elsewhere
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.fake_registry import FakeRegistry, running_registry

HOUR = timedelta(hours=1)
LOGIN = ("sample", "upstream-password-9d2c")


def test_claimed_registries_are_left_alone_until_the_claim_expires(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    (claimed,) = claim_due()  # by a worker that is killed now

    assert claimed.registry == registry
    assert check_due_registries() == 0
    ExternalRegistry.objects.update(claimed_until=timezone.now())
    assert check_due_registries() == 1


def test_a_registry_that_another_transaction_holds_delays_no_other(
    transactional_db: None, vendor: Vendor
) -> None:
    held = ExternalRegistryFactory(team=vendor.team, slug="held")
    free = ExternalRegistryFactory(team=vendor.team, slug="free")

    with locked_elsewhere(held):
        claimed = [version.registry for version in claim_due()]

    assert claimed == [free]
    assert [version.registry for version in claim_due()] == [held]


def test_few_checks_of_one_host_and_many_of_others(
    vendor: Vendor, settings: Any
) -> None:
    settings.BERTH_CHECKS_PER_HOST = 2
    for number in range(5):
        ExternalRegistryFactory(
            team=vendor.team, endpoint="busy.example", slug=f"busy{number}"
        )
    for number in range(3):
        ExternalRegistryFactory(
            team=vendor.team, endpoint=f"{number}.example", slug=f"other{number}"
        )

    first = sorted(version.registry.endpoint for version in claim_due())
    second = claim_due()

    assert first == [
        "0.example",
        "1.example",
        "2.example",
        "busy.example",
        "busy.example",
    ]
    assert second == []
    ExternalRegistry.objects.filter(claimed_until__isnull=False).update(
        claimed_until=None, next_check_at=timezone.now() + timedelta(hours=1)
    )
    assert len(claim_due()) == 2


def test_the_longest_overdue_comes_first(vendor: Vendor) -> None:
    now = timezone.now()
    for number, minutes in enumerate([1, 30, 5]):
        ExternalRegistryFactory(
            team=vendor.team,
            endpoint=f"{number}.example",
            slug=f"r{number}",
            next_check_at=now - timedelta(minutes=minutes),
        )

    (claimed,) = claim_due(batch=1)

    assert claimed.registry.slug == "r1"


def test_a_check_that_takes_too_long_in_all_is_stored_as_unreachable(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.delay_seconds = 2

    check_credentials(claim_due(), seconds=0.5)

    registry.refresh_from_db()
    assert (registry.suspect, registry.claimed_until) == ("unreachable", None)
    assert CredentialCheck.objects.get().outcome == "unreachable"


def test_deleting_a_registry_during_its_check_is_not_an_error(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    claimed = claim_due()
    registry.delete()

    check_credentials(claimed)

    assert not CredentialCheck.objects.exists()


def test_a_hanging_check_does_not_delay_others(
    vendor: Vendor, registry: ExternalRegistry, fake: FakeRegistry, settings: Any
) -> None:
    with running_registry(LOGIN) as hanging:
        settings.BERTH_INSECURE_REGISTRIES = [fake.endpoint, hanging.endpoint]
        settings.BERTH_UPSTREAM_CONNECT_SECONDS = 1
        settings.BERTH_UPSTREAM_READ_SECONDS = 3
        hanging.delay_seconds = 30
        vendor.connect(hanging.endpoint, "hanging", LOGIN)

        check_due_registries()

    slow, fast = CredentialCheck.objects.order_by("-created_at")
    assert (slow.registry.slug, slow.outcome) == ("hanging", "unreachable")
    assert (fast.registry, fast.outcome) == (registry, "valid")
    assert slow.created_at - fast.created_at > timedelta(seconds=1)


def test_a_busy_host_does_not_keep_others_waiting(vendor: Vendor) -> None:
    at = timezone.now() - timedelta(hours=2)
    vendor_registries(vendor, {f"busy{n}": "busy.example.com" for n in range(1100)}, at)
    for number in range(20):
        vendor_registry(vendor, f"own{number}.example.com", f"own{number}", at + HOUR)

    claimed = [version.registry.endpoint for version in claim_due()]

    assert claimed.count("busy.example.com") == 4
    assert len(claimed) == 24


def test_few_checks_of_one_team_and_all_of_others(
    vendor: Vendor, settings: Any
) -> None:
    settings.BERTH_CHECKS_PER_TEAM = 3
    another = create_vendor()
    at = timezone.now() - timedelta(hours=2)
    for number in range(5):
        vendor_registry(vendor, f"{number}.example.com", f"r{number}", at)
    vendor_registry(another, "another.example.com", "r", at + HOUR)

    first, second = claim_due(), claim_due()

    assert sorted(version.team_id for version in first) == sorted(
        [vendor.team.pk] * 3 + [another.team.pk]
    )
    assert second == []
    ended = next(item for item in first if item.team_id == vendor.team.pk)
    ended.registry.delete()
    assert len(claim_due()) == 1


def test_a_busy_team_does_not_keep_others_waiting(vendor: Vendor) -> None:
    another = create_vendor()
    at = timezone.now() - timedelta(hours=2)
    vendor_registries(vendor, {f"r{n}": f"{n}.example.com" for n in range(1100)}, at)
    vendor_registry(another, "another.example.com", "r", at + HOUR)

    claimed = [version.team_id for version in claim_due()]

    assert claimed.count(vendor.team.pk) == 25
    assert claimed.count(another.team.pk) == 1


def vendor_registry(vendor: Vendor, endpoint: str, slug: str, due: datetime) -> None:
    vendor_registries(vendor, {slug: endpoint}, due)


def vendor_registries(vendor: Vendor, endpoints: dict[str, str], due: datetime) -> None:
    """Make registries by their slugs, with two statements for all of them."""
    registries = [
        ExternalRegistryFactory.build(
            team=vendor.team,
            endpoint=endpoint,
            slug=slug,
            next_check_at=due,
            credential=None,
        )
        for slug, endpoint in endpoints.items()
    ]
    ExternalRegistry.objects.bulk_create(registries)
    Credential.objects.bulk_create(
        CredentialFactory.build(registry=registry) for registry in registries
    )


def test_an_internal_error_is_reported_and_does_not_affect_other_checks(
    registry: ExternalRegistry, vendor: Vendor, fake: FakeRegistry
) -> None:
    other = vendor.connect(fake.endpoint, "other", LOGIN)
    # As after a restored backup with the wrong keys: it cannot be decrypted.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registries_credential SET secret = %s WHERE registry_id = %s",
            [b"\x01not what it was", registry.pk],
        )

    assert check_due_registries() == 2
    assert check_due_registries() == 0
    other.refresh_from_db()
    assert other.health == "valid"

    for _ in range(2):
        make_all_due([registry.pk])
        assert check_due_registries() == 1
    registry.refresh_from_db()
    assert (registry.health, registry.claimed_until) == ("upstream_error", None)
    assert (
        "Internal error in Berth: this check could not be made."
        in Alert.objects.get().message
    )
    assert set(
        CredentialCheck.objects.filter(registry=registry).values_list(
            "outcome", flat=True
        )
    ) == {"upstream_error"}
