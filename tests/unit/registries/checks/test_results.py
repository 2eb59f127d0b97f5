"""What follows from a check: health, alerts, and when the next one is due."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from alerts.models import Alert
from oci.reference import parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Conflict, TooMany
from portal.limits.waiting import waiting
from registries.checks.attempt import CheckResult
from registries.checks.limit import CHECKS_PER_MINUTE
from registries.checks.queue import (
    check_due_registries,
    claim_due,
    make_due,
)
from registries.checks.results import record_check
from registries.models import CredentialCheck, ExternalRegistry
from registries.models.health import Outcome
from registries.services import (
    NewCredential,
    change_registry,
    check_registry,
    draft_credential,
    replace_credential,
)
from tests.support.minutes import within_a_minute
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.fake_registry import FakeRegistry

HOUR = timedelta(hours=1)
LOGIN = ("sample", "upstream-password-9d2c")
VALID = CheckResult(Outcome.VALID, 200, 12, "Signed in.")


def check(times: int = 1) -> ExternalRegistry:
    for _ in range(times):
        ExternalRegistry.objects.update(next_check_at=timezone.now())
        assert check_due_registries() == 1
    return ExternalRegistry.objects.get()


def alerts() -> list[str]:
    return [alert.event for alert in Alert.objects.order_by("created_at")]


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
    new = NewCredential("password", "sample", Secret(password))
    draft = draft_credential(actor=vendor.actor, registry=registry, new=new)
    replace_credential(actor=vendor.actor, draft=draft, result=None)


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


def test_deleting_a_registry_while_its_new_credential_is_checked_is_a_conflict(
    registry: ExternalRegistry, vendor: Vendor
) -> None:
    new = NewCredential("password", LOGIN[0], Secret(LOGIN[1]))
    draft = draft_credential(actor=vendor.actor, registry=registry, new=new)
    ExternalRegistry.objects.filter(pk=registry.pk).delete()

    with pytest.raises(Conflict, match="registry has been deleted"):
        replace_credential(actor=vendor.actor, draft=draft, result=None)
    assert not ExternalRegistry.objects.filter(pk=registry.pk).exists()


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


def test_an_endless_retry_after_is_ignored(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "9" * 5000

    assert check().suspect == "rate_limited"


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
        check_registry(
            actor=vendor.actor, registry=registry, image=parse_reference(image)
        )
        registry.refresh_from_db()
        assert registry.health == "repository_denied"
        assert registry.next_check_at <= timezone.now()
    assert alerts() == ["registry.repository_denied"]


def test_credential_tries_are_limited_per_team_and_minute(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    def tries_until_refused() -> tuple[int, str, int]:
        another = create_vendor()
        theirs = another.connect(fake.endpoint, "sample", LOGIN)
        for number in itertools.count():
            fake.asked = 0
            try:
                check_registry(actor=another.actor, registry=theirs)
            except TooMany as refused:
                return number, str(refused), fake.asked
        raise AssertionError

    number, message, asked = within_a_minute(tries_until_refused)
    assert (number, asked) == (CHECKS_PER_MINUTE, 0)
    assert "Wait a minute" in message
    result = check_registry(actor=vendor.actor, registry=registry)
    assert result.outcome == "valid"


def test_a_try_that_had_to_wait_does_not_count_in_the_minute(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    with waiting(vendor.team.pk), waiting(vendor.team.pk):
        for _ in range(CHECKS_PER_MINUTE):
            with pytest.raises(TooMany, match="waiting for other servers"):
                check_registry(actor=vendor.actor, registry=registry)
    assert fake.asked == 0

    assert check_registry(actor=vendor.actor, registry=registry).is_valid


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


def test_a_refused_pull_respects_the_retry_after_of_a_registry(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "7200"
    check()
    ExternalRegistry.objects.update(health_checked_at=timezone.now() - HOUR)

    assert not make_due(registry.pk)
    assert ExternalRegistry.objects.get().next_check_at > timezone.now() + HOUR
