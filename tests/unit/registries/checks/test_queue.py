"""Choosing what to check, and checking it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from oci.reference import parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Conflict, TooMany
from registries.checks.attempt import CheckResult
from registries.checks.limit import CHECKS_PER_MINUTE
from registries.checks.queue import (
    check_credentials,
    check_due_registries,
    claim_due,
    make_all_due,
)
from registries.models import CredentialCheck, ExternalRegistry
from registries.models.health import Outcome
from registries.services import (
    NewCredential,
    change_registry,
    check_registry,
    draft_credential,
    replace_credential,
)
from teams.actors import member_actor
from teams.models import Membership
from tests.support.rows.factories import ExternalRegistryFactory
from tests.support.rows.vendor import Vendor
from tests.support.servers.fake_registry import FakeRegistry, running_registry

HOUR = timedelta(hours=1)
LOGIN = ("sample", "upstream-password-9d2c")


@pytest.fixture
def fake(settings: Any) -> Iterator[FakeRegistry]:
    with running_registry(LOGIN) as found:
        settings.BERTH_INSECURE_REGISTRIES = [found.endpoint]
        yield found


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


def told() -> list[str]:
    return [each.event for each in Alert.objects.order_by("created_at")]


def test_a_new_registry_is_due_at_once_and_then_for_a_while_no_more(
    registry: ExternalRegistry,
) -> None:
    assert check_due_registries() == 1
    assert check_due_registries() == 0

    registry.refresh_from_db()
    assert (registry.health, registry.claimed_until) == ("valid", None)
    wait = registry.next_check_at - timezone.now()
    assert timedelta(minutes=11) < wait < timedelta(minutes=19)
    assert CredentialCheck.objects.get().outcome == "valid"
    assert told() == []


def test_a_refusal_is_confirmed_before_it_is_told(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    check()
    fake.login = ("sample", "another-password")

    once = check()
    assert (once.health, once.suspect, told()) == ("valid", "rejected", [])
    assert once.next_check_at - timezone.now() < timedelta(minutes=1)

    twice = check()
    assert twice.health == "rejected"
    assert told() == ["registry.rejected"]

    check(3)
    assert told() == ["registry.rejected"]

    fake.login = LOGIN
    well = check()
    assert (well.health, well.suspect, well.failures) == ("valid", "", 0)
    assert told() == ["registry.rejected", "registry.recovered"]


def test_trouble_is_met_three_times_before_it_is_told(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    check()
    fake.status = 503

    assert check(2).health == "valid"
    assert check().health == "upstream_error"
    assert told() == ["registry.upstream_error"]


def test_rate_limits_are_backed_off_from(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "7200"

    found = check()

    assert found.suspect == Outcome.RATE_LIMITED
    wait = found.next_check_at - timezone.now()
    assert timedelta(minutes=119) < wait <= timedelta(minutes=121)


def test_the_test_image_is_looked_up(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    registry.test_image = "my-org/secret:v1"
    registry.save()
    fake.forbidden = "my-org/secret"

    assert check(2).health == "repository_denied"
    assert told() == ["registry.repository_denied"]


def replace(vendor: Vendor, registry: ExternalRegistry, password: str) -> None:
    replace_credential(
        actor=vendor.actor,
        draft=draft_credential(
            actor=vendor.actor,
            registry=registry,
            new=NewCredential("password", "sample", Secret(password)),
        ),
        result=None,
    )


def test_a_replaced_credential_that_worked_is_judged_anew(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    assert check().health == "valid"
    fake.login = ("sample", "another-password")
    assert check().suspect == "rejected"

    replace(vendor, registry, "another-password")

    found = ExternalRegistry.objects.get()
    assert (found.health, found.suspect, found.failures) == ("", "", 0)
    assert found.next_check_at <= timezone.now()
    assert check_due_registries() == 1
    assert ExternalRegistry.objects.get().health == "valid"
    assert told() == []


def test_a_registry_in_trouble_is_so_until_its_new_credential_was_seen_to_work(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    fake.login = ("sample", "another-password")
    assert check(2).health == "rejected"

    replace(vendor, registry, "not-it-either")
    assert check(2).health == "rejected"
    assert told() == ["registry.rejected"]

    replace(vendor, registry, "another-password")
    assert check().health == "valid"
    assert told() == ["registry.rejected", "registry.recovered"]


def test_what_is_claimed_is_left_alone_until_the_claim_ends(
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


def test_a_check_that_takes_too_long_in_all_is_stored_as_unreachable(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.delay_seconds = 2

    check_credentials(claim_due(), seconds=0.5)

    registry.refresh_from_db()
    assert (registry.suspect, registry.claimed_until) == ("unreachable", None)
    assert CredentialCheck.objects.get().outcome == "unreachable"


def test_a_registry_deleted_while_its_new_credential_is_tried_is_told(
    registry: ExternalRegistry, vendor: Vendor
) -> None:
    draft = draft_credential(
        actor=vendor.actor,
        registry=registry,
        new=NewCredential("password", LOGIN[0], Secret(LOGIN[1])),
    )
    ExternalRegistry.objects.filter(pk=registry.pk).delete()

    with pytest.raises(Conflict, match="registry has been deleted"):
        replace_credential(actor=vendor.actor, draft=draft, result=None)
    assert not ExternalRegistry.objects.filter(pk=registry.pk).exists()


def test_a_registry_deleted_meanwhile_is_no_error(
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


def test_a_retry_after_without_end_is_no_number(
    registry: ExternalRegistry, fake: FakeRegistry
) -> None:
    fake.status, fake.retry_after = 429, "9" * 5000

    assert check().suspect == "rate_limited"


def test_a_refused_pull_does_not_hurry_a_registry_that_said_when_to_ask(
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
def test_a_change_of_what_is_checked_is_checked_at_once(
    change: dict[str, str], registry: ExternalRegistry, vendor: Vendor
) -> None:
    check()
    ExternalRegistry.objects.update(claimed_until=timezone.now() + HOUR)
    registry.refresh_from_db()

    change_registry(actor=vendor.actor, registry=registry, changes=change)

    found = ExternalRegistry.objects.get()
    assert found.next_check_at <= timezone.now()
    assert found.claimed_until is None


def test_trying_another_image_says_nothing_of_the_test_image(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    ExternalRegistry.objects.update(test_image="my-org/api:v1.0.1")
    fake.forbidden = "my-org/api"
    assert check(2).health == "repository_denied"

    found = ExternalRegistry.objects.get()
    for image in ("my-org/other:v1", "my-org/api:v2"):
        check_registry(actor=vendor.actor, registry=found, image=parse_reference(image))
        found.refresh_from_db()
        assert found.health == "repository_denied"
        assert found.next_check_at <= timezone.now()
    assert told() == ["registry.repository_denied"]


def test_a_team_has_so_many_credentials_tried_in_a_minute(
    registry: ExternalRegistry, fake: FakeRegistry, vendor: Vendor
) -> None:
    for _ in range(CHECKS_PER_MINUTE):
        check_registry(actor=vendor.actor, registry=registry)
    asked = fake.asked

    with pytest.raises(TooMany, match="Wait a minute"):
        check_registry(actor=vendor.actor, registry=registry)
    assert fake.asked == asked
    another = create_vendor().connect(fake.endpoint, "sample", LOGIN)
    assert (
        check_registry(
            actor=member_actor(Membership.objects.get(team=another.team)),
            registry=another,
        ).outcome
        == "valid"
    )
