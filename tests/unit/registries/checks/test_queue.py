"""Choosing what to check, checking it, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from oci.reference import parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Conflict, TooMany
from registries.checks.attempt import CheckResult
from registries.checks.limit import TRIES_PER_MINUTE
from registries.checks.new_credentials import NewCredential
from registries.checks.queue import (
    check_due_registries,
    check_now,
    claim_due,
    make_all_due,
    make_due,
)
from registries.checks.results import record_check
from registries.models import CredentialCheck, ExternalRegistry
from registries.models.health import Outcome
from registries.services import (
    change_registry,
    prepare_credential,
    replace_credential,
    try_registry,
    use_credential,
)
from teams.actors import member_actor
from teams.models import Membership
from tests.support.rows.factories import ExternalRegistryFactory
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.fake_registry import FakeRegistry, running_registry

HOUR = timedelta(hours=1)
LOGIN = ("sample", "upstream-password-9d2c")
VALID = CheckResult(Outcome.VALID, 200, 12, "Signed in.")


@pytest.fixture
def fake(settings: Any) -> Iterator[FakeRegistry]:
    with running_registry(LOGIN) as registry:
        settings.BERTH_INSECURE_REGISTRIES = [registry.endpoint]
        yield registry


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def registry(vendor: Vendor, fake: FakeRegistry) -> ExternalRegistry:
    return vendor.connect(fake.endpoint, "sample", LOGIN)


def check(times: int = 1) -> ExternalRegistry:
    for _ in range(times):
        ExternalRegistry.objects.update(next_check_at=timezone.now())
        assert check_due_registries() == 1
    return ExternalRegistry.objects.get()


def alerts() -> list[str]:
    return [alert.event for alert in Alert.objects.order_by("created_at")]


def test_a_new_registry_is_due_at_once_and_then_not_for_a_while(
    registry: ExternalRegistry,
) -> None:
    assert check_due_registries() == 1
    assert check_due_registries() == 0

    registry.refresh_from_db()
    assert (registry.health, registry.claimed_until) == ("valid", None)
    wait = registry.next_check_at - timezone.now()
    assert timedelta(minutes=11) < wait < timedelta(minutes=19)
    assert CredentialCheck.objects.get().outcome == "valid"
    assert alerts() == []


def test_a_refusal_is_confirmed_before_it_raises_an_alert(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    check()
    fake.login = ("sample", "another-password")

    once = check()
    assert (once.health, once.suspect, alerts()) == ("valid", "rejected", [])
    assert once.next_check_at - timezone.now() < timedelta(minutes=1)

    twice = check()
    assert twice.health == "rejected"
    assert alerts() == ["registry.rejected"]

    check(3)
    assert alerts() == ["registry.rejected"]

    fake.login = LOGIN
    well = check()
    assert (well.health, well.suspect, well.failures) == ("valid", "", 0)
    assert alerts() == ["registry.rejected", "registry.recovered"]


def test_connection_trouble_occurs_three_times_before_it_raises_an_alert(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    check()
    fake.status = 503

    assert check(2).health == "valid"
    assert check().health == "upstream_error"
    assert alerts() == ["registry.upstream_error"]


def test_rate_limits_are_backed_off_from(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "7200"

    registry = check()

    assert registry.suspect == Outcome.RATE_LIMITED
    wait = registry.next_check_at - timezone.now()
    assert timedelta(minutes=119) < wait <= timedelta(minutes=121)


def test_the_test_image_is_looked_up(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    registry.test_image = "my-org/secret:v1"
    registry.save()
    fake.forbidden = "my-org/secret"

    assert check(2).health == "repository_denied"
    assert alerts() == ["registry.repository_denied"]


def replace(vendor: Vendor, registry: ExternalRegistry, password: str) -> None:
    replace_credential(
        actor=vendor.actor,
        registry=registry,
        credential=NewCredential("password", "sample", Secret(password)),
        skip_test=True,
    )


def test_replacing_a_valid_credential_resets_the_health(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    assert check().health == "valid"
    fake.login = ("sample", "another-password")
    assert check().suspect == "rejected"

    replace(vendor, registry, "another-password")

    registry = ExternalRegistry.objects.get()
    assert (registry.health, registry.suspect, registry.failures) == ("", "", 0)
    assert registry.next_check_at <= timezone.now()
    assert check_due_registries() == 1
    assert ExternalRegistry.objects.get().health == "valid"
    assert alerts() == []


def test_a_failed_state_stays_until_the_new_credential_works(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    fake.login = ("sample", "another-password")
    assert check(2).health == "rejected"

    replace(vendor, registry, "not-it-either")
    assert check(2).health == "rejected"
    assert alerts() == ["registry.rejected"]

    replace(vendor, registry, "another-password")
    assert check().health == "valid"
    assert alerts() == ["registry.rejected", "registry.recovered"]


def test_claimed_registries_are_left_alone_until_the_claim_expires(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    (claimed,) = claim_due()  # by a worker that is killed now

    assert claimed.registry == registry
    assert check_due_registries() == 0
    ExternalRegistry.objects.update(claimed_until=timezone.now())
    assert check_due_registries() == 1


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


def test_a_refused_pull_makes_a_registry_due_at_most_once_a_minute(
    registry: ExternalRegistry,
) -> None:
    check()
    assert not make_due(registry.pk)  # it was checked a moment ago

    ExternalRegistry.objects.update(
        health_checked_at=timezone.now() - timedelta(minutes=5)
    )
    assert make_due(registry.pk)
    assert not make_due(registry.pk)  # it is due already


def test_a_check_that_takes_too_long_in_all_is_stored_as_unreachable(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.delay_seconds = 2

    check_now(claim_due(), seconds=0.5)

    registry.refresh_from_db()
    assert (registry.suspect, registry.claimed_until) == ("unreachable", None)
    assert CredentialCheck.objects.get().outcome == "unreachable"


def test_deleting_a_registry_while_its_new_credential_is_tried_is_a_conflict(
    registry: ExternalRegistry, vendor: Vendor
) -> None:
    ready = prepare_credential(
        actor=vendor.actor,
        registry=registry,
        credential=NewCredential("password", LOGIN[0], Secret(LOGIN[1])),
    )
    ExternalRegistry.objects.filter(pk=registry.pk).delete()

    with pytest.raises(Conflict, match="deleted the registry meanwhile"):
        use_credential(actor=vendor.actor, ready=ready)
    assert not ExternalRegistry.objects.filter(pk=registry.pk).exists()


def test_deleting_a_registry_during_its_check_is_not_an_error(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    claimed = claim_due()
    registry.delete()

    check_now(claimed)

    assert not CredentialCheck.objects.exists()


def test_a_result_is_stored_once_however_often_it_is_retried(
    registry: ExternalRegistry,
) -> None:
    (version,) = claim_due()
    claim = version.registry.claimed_until

    record_check(version, VALID, claim=claim)
    record_check(version, VALID, claim=claim)

    assert CredentialCheck.objects.count() == 1
    registry.refresh_from_db()
    assert registry.claimed_until is None


def test_a_result_is_discarded_after_another_worker_took_over(
    registry: ExternalRegistry,
) -> None:
    (slow,) = claim_due()
    ExternalRegistry.objects.update(claimed_until=timezone.now())
    slow.registry.claimed_until = timezone.now() - timedelta(seconds=1)
    (other,) = claim_due()

    record_check(slow, VALID, claim=slow.registry.claimed_until)

    assert not CredentialCheck.objects.exists()
    registry.refresh_from_db()
    assert registry.claimed_until == other.registry.claimed_until


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
    for number in range(1100):
        vendor_registry(vendor, "busy.example.com", f"busy{number}", at)
    for number in range(20):
        vendor_registry(vendor, f"own{number}.example.com", f"own{number}", at + HOUR)

    claimed = [version.registry.endpoint for version in claim_due()]

    assert claimed.count("busy.example.com") == 4
    assert len(claimed) == 24


def vendor_registry(vendor: Vendor, endpoint: str, slug: str, due: datetime) -> None:
    ExternalRegistryFactory(
        team=vendor.team, endpoint=endpoint, slug=slug, next_check_at=due
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


def test_an_endless_retry_after_is_ignored(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "9" * 5000

    assert check().suspect == "rate_limited"


def test_a_refused_pull_respects_the_retry_after_of_a_registry(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "7200"
    check()
    ExternalRegistry.objects.update(health_checked_at=timezone.now() - HOUR)

    assert not make_due(registry.pk)
    assert ExternalRegistry.objects.get().next_check_at > timezone.now() + HOUR


@pytest.mark.parametrize(
    "change", [{"test_image": "my-org/web:v1"}, {"trusted_realm": "auth.example.org"}]
)
def test_changing_what_is_checked_makes_a_registry_due(
    change: dict[str, str], registry: ExternalRegistry, vendor: Vendor
) -> None:
    check()
    ExternalRegistry.objects.update(claimed_until=timezone.now() + HOUR)
    registry.refresh_from_db()

    change_registry(actor=vendor.actor, registry=registry, changes=change)

    registry = ExternalRegistry.objects.get()
    assert registry.next_check_at <= timezone.now()
    assert registry.claimed_until is None


def test_trying_another_image_does_not_change_the_result_for_the_test_image(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    ExternalRegistry.objects.update(test_image="my-org/api:v1.0.1")
    fake.forbidden = "my-org/api"
    assert check(2).health == "repository_denied"

    registry = ExternalRegistry.objects.get()
    for image in ("my-org/other:v1", "my-org/api:v2"):
        try_registry(
            actor=vendor.actor, registry=registry, image=parse_reference(image)
        )
        registry.refresh_from_db()
        assert registry.health == "repository_denied"
        assert registry.next_check_at <= timezone.now()
    assert alerts() == ["registry.repository_denied"]


def test_credential_tries_are_limited_per_team_and_minute(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    for _ in range(TRIES_PER_MINUTE):
        try_registry(actor=vendor.actor, registry=registry)
    asked = fake.asked

    with pytest.raises(TooMany, match="Wait a minute"):
        try_registry(actor=vendor.actor, registry=registry)
    assert fake.asked == asked
    another = create_vendor().connect(fake.endpoint, "sample", LOGIN)
    assert (
        try_registry(
            actor=member_actor(Membership.objects.get(team=another.team)),
            registry=another,
        ).outcome
        == "valid"
    )
