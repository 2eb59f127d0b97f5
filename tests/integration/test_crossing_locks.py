"""Changes to the same rows at the same time wait in turn, and never for each other."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client

from alerts.models import Delivery, DeliveryState, Webhook
from alerts.results import SendResult, record_result
from alerts.services import delete_webhook, disable_webhook
from licenses.models import Application
from licenses.services import change_slug, create_license_field
from registries.checks.attempt import CheckResult
from registries.checks.results import record_check
from registries.models.health import Outcome
from registries.selectors import active_credential
from registries.services import delete_registry
from teams.api_tokens import revoke_api_token, stop_api_tokens
from teams.models import ApiToken
from teams.permissions import Role
from teams.services import change_member_role, remove_member
from tests.support.rows.factories import (
    AlertFactory,
    ApiTokenFactory,
    CredentialCheckFactory,
    DeliveryFactory,
    MembershipFactory,
    ServiceAccountFactory,
    WebhookFactory,
)
from tests.support.rows.vendor import Vendor, create_vendor

ROUNDS = 15


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    return create_vendor()


def at_once(*changes: Callable[[], object]) -> None:
    """Make the changes at the same time; one may find that the row is gone."""
    start = threading.Barrier(len(changes), timeout=20)

    def make(change: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            change()
        except ObjectDoesNotExist:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(len(changes)) as threads:
        for made in [threads.submit(make, change) for change in changes]:
            made.result()


def deliveries_of(vendor: Vendor, failures: int) -> tuple[Webhook, list[Delivery]]:
    webhook = WebhookFactory(team=vendor.team, failures=failures)
    alerts = AlertFactory.create_batch(6, team=vendor.team)
    return webhook, [
        DeliveryFactory(
            team=vendor.team, alert=alert, webhook=webhook, state=DeliveryState.PENDING
        )
        for alert in alerts
    ]


def test_results_that_disable_their_webhook(vendor: Vendor) -> None:
    gone = SendResult(ok=False, detail="410 Gone", is_gone=True)
    for _ in range(ROUNDS):
        webhook, deliveries = deliveries_of(vendor, failures=9)

        at_once(*(partial(record_result, delivery, gone) for delivery in deliveries))

        assert set(webhook.deliveries.values_list("state", flat=True)) == {"failed"}


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_webhook_that_stops_while_results_arrive(
    vendor: Vendor, is_deleted: bool
) -> None:
    sent = SendResult(ok=True, detail="")
    for _ in range(ROUNDS):
        webhook, deliveries = deliveries_of(vendor, failures=1)
        stop = (
            partial(delete_webhook, actor=vendor.actor, webhook=webhook)
            if is_deleted
            else partial(
                disable_webhook, actor=vendor.actor, webhook=webhook, reason="stop"
            )
        )

        at_once(stop, *(partial(record_result, one, sent) for one in deliveries))


def test_a_registry_that_is_deleted_during_its_check(vendor: Vendor) -> None:
    valid = CheckResult(Outcome.VALID, 200, 1, "")
    for number in range(ROUNDS):
        registry = vendor.connect("registry.example", f"deleted-{number}")
        version = active_credential(registry)
        CredentialCheckFactory.create_batch(
            20, team=vendor.team, registry=registry, credential=version
        )

        at_once(
            partial(delete_registry, actor=vendor.actor, registry=registry),
            partial(record_check, version, valid),
            partial(record_check, version, valid),
        )


def test_a_slug_that_changes_while_licenses_are_issued(vendor: Vendor) -> None:
    application = vendor.application
    vendor.license()
    for number in range(ROUNDS):
        field = {"name": f"field_{number}", "title": "Field", "type": "Integer"}

        at_once(
            partial(
                change_slug,
                actor=vendor.actor,
                application=application,
                slug=f"slug-{number}",
                confirmed=Application.objects.get(pk=application.pk).slug,
            ),
            vendor.license,
            partial(
                create_license_field,
                actor=vendor.actor,
                application=application,
                values=field,
            ),
        )

    application.refresh_from_db()
    assert application.slug == f"slug-{ROUNDS - 1}"
    assert application.licenses.count() == ROUNDS + 1


@transaction.atomic
def stop(vendor: Vendor, api_tokens: QuerySet[ApiToken]) -> None:
    """Revoke tokens as the removal of a member does."""
    stop_api_tokens(vendor.actor, api_tokens)


def create_in_browser(browser: Client, vendor: Vendor, acts_as: str) -> int:
    """Create a token as a person does; return the status of the response."""
    body = {"name": "late", "acts_as": acts_as, "submission": uuid.uuid4()}
    try:
        path = f"/t/{vendor.team.slug}/api-tokens/new"
        return browser.post(path, body).status_code
    finally:
        connection.close()


@pytest.mark.parametrize("acts_as", ["user", "team:admin", "service_account:{}"])
def test_an_api_token_that_a_member_makes_while_they_are_removed(
    vendor: Vendor, acts_as: str
) -> None:
    admin = MembershipFactory(team=vendor.team, role="admin")
    robot = ServiceAccountFactory(team=vendor.team, role="admin")
    browser = Client()
    browser.force_login(admin.user)

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            remove_member(actor=vendor.actor, membership=admin)
            made = threads.submit(
                create_in_browser, browser, vendor, acts_as.format(robot.pk)
            )
            wait([made], timeout=1)
        status = made.result()

    assert not ApiToken.objects.filter(name="late").exists()
    assert status == 403


def test_an_api_token_that_a_member_makes_while_they_are_demoted(
    vendor: Vendor,
) -> None:
    admin = MembershipFactory(team=vendor.team, role="admin")
    browser = Client()
    browser.force_login(admin.user)

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            change_member_role(actor=vendor.actor, membership=admin, role=Role.SALES)
            made = threads.submit(create_in_browser, browser, vendor, "team:admin")
            wait([made], timeout=1)
        status = made.result()

    assert not ApiToken.objects.filter(name="late").exists()
    assert status == 403


def test_api_tokens_that_two_people_revoke(vendor: Vendor) -> None:
    for _ in range(ROUNDS):
        parent = ApiTokenFactory(team=vendor.team, kind="team")
        children = ApiTokenFactory.create_batch(
            10, team=vendor.team, kind="team", created_with=parent
        )
        tokens = ApiToken.objects.filter(pk__in=[parent.pk, *(t.pk for t in children)])

        at_once(
            partial(revoke_api_token, actor=vendor.actor, api_token=parent),
            partial(stop, vendor, tokens),
        )

        assert not tokens.filter(revoked_at=None).exists()
