"""The decision: every reason, and the order in which they are found."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.services import archive_customer, change_license, revoke_license
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.facts import LicenseHolder
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    AllowedImage,
    AllowedPull,
    Denied,
    authorize_pull,
    decide_login,
)
from registries.decision.query import fetch_facts
from registries.models import ExternalRegistry
from registries.models.outcomes import Reason
from teams.models import ApiToken
from teams.permissions import Role
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.decision.conftest import (
    license_of,
    presented,
    reason,
    slug_of,
)


def test_an_entitled_pull_is_allowed_with_everything_the_proxy_needs(
    vendor: Vendor,
) -> None:
    license = vendor.license()

    decision = authorize_pull(
        presented(license.license_id.reveal()),
        slug_of(vendor),
        "quay.io",
        "my-org/api",
    )

    assert isinstance(decision, AllowedPull)
    assert decision.subject == Subject(SubjectKind.LICENSE, license.pk)
    assert decision.repository == "my-org/api"
    assert decision.registry.credential.secret.reveal() == "upstream-password-9d2c"
    assert [(step.check, step.passed) for step in decision.trace] == [
        ("credential", True),
        ("application", True),
        ("license", True),
        ("registry", True),
        ("repository", True),
    ]


@pytest.mark.parametrize("password", ["", "x", "2" * 27, "berth_user_" + "a" * 56])
def test_an_unknown_credential(vendor: Vendor, password: str) -> None:
    decision = authorize_pull(
        presented(password), slug_of(vendor), "quay.io", "my-org/api"
    )

    assert reason(decision) is Reason.CREDENTIAL_UNKNOWN


def test_no_credential_at_all(vendor: Vendor) -> None:
    decision = authorize_pull(None, slug_of(vendor), "quay.io", "my-org/api")

    assert reason(decision) is Reason.CREDENTIAL_UNKNOWN


def test_a_subject_that_is_gone(vendor: Vendor) -> None:
    gone = Subject(SubjectKind.LICENSE, uuid.uuid4())

    decision = authorize_pull(gone, slug_of(vendor), "quay.io", "my-org/api")

    assert reason(decision) is Reason.CREDENTIAL_UNKNOWN


def test_another_application(vendor: Vendor) -> None:
    other = vendor.another_application("another")

    decision = authorize_pull(license_of(vendor), other.slug, "quay.io", "a")

    assert reason(decision) is Reason.APPLICATION_MISMATCH


def test_mismatch_comes_before_the_licenses_state(vendor: Vendor) -> None:
    """Whoever asks for something else learns nothing of the license."""
    license = vendor.license()
    revoke_license(actor=vendor.actor, license=license, reason="test")

    decision = authorize_pull(
        presented(license.license_id.reveal()), "nothing-of-hers", "quay.io", "a"
    )

    assert reason(decision) is Reason.APPLICATION_MISMATCH


def test_a_revoked_license_says_when_and_not_why(vendor: Vendor) -> None:
    license = vendor.license()
    revoke_license(actor=vendor.actor, license=license, reason="They did not pay")

    decision = authorize_pull(
        presented(license.license_id.reveal()), slug_of(vendor), "quay.io", "a"
    )

    assert isinstance(decision, Denied)
    assert decision.reason is Reason.LICENSE_REVOKED
    assert f"{timezone.now():%Y-%m-%d}" in decision.message
    assert "They did not pay" not in decision.message
    assert "They did not pay" in decision.trace[-1].detail


def test_revoked_comes_before_expired(vendor: Vendor) -> None:
    license = vendor.license(expires_at=timezone.now() - timedelta(days=1))
    revoke_license(actor=vendor.actor, license=license, reason="test")

    decision = authorize_pull(
        presented(license.license_id.reveal()), slug_of(vendor), "quay.io", "a"
    )

    assert reason(decision) is Reason.LICENSE_REVOKED


def test_a_license_expires_at_its_instant(vendor: Vendor) -> None:
    license = vendor.license(expires_at=timezone.now() + timedelta(minutes=1))
    credential = presented(license.license_id.reveal())
    before = authorize_pull(credential, slug_of(vendor), "quay.io", "a")
    change_license(
        actor=vendor.actor,
        license=license,
        changes={"expires_at": timezone.now()},
    )

    after = authorize_pull(credential, slug_of(vendor), "quay.io", "a")

    assert isinstance(before, AllowedPull)
    assert reason(after) is Reason.LICENSE_EXPIRED


def test_an_archived_customer(vendor: Vendor) -> None:
    credential = license_of(vendor)
    archive_customer(actor=vendor.actor, customer=vendor.customer)

    decision = authorize_pull(credential, slug_of(vendor), "quay.io", "a")

    assert reason(decision) is Reason.CUSTOMER_ARCHIVED


def test_health_does_not_decide(vendor: Vendor) -> None:
    ExternalRegistry.objects.update(health="rejected")

    decision = authorize_pull(license_of(vendor), slug_of(vendor), "quay.io", "a")

    assert isinstance(decision, AllowedPull)


def api_token(vendor: Vendor, role: Role, *, read_only: bool = False) -> str:
    _, text = vendor.api_token(ApiToken.Kind.TEAM, role=role, read_only=read_only)
    return text.reveal()


@pytest.mark.parametrize(
    ("role", "may_pull"),
    [
        (Role.OWNER, True),
        (Role.ADMIN, True),
        (Role.DEVELOPER, True),
        (Role.SUPPORT, False),
        (Role.SALES, False),
        (Role.READ_ONLY, False),
    ],
)
def test_a_vendors_token_pulls_as_its_role_may(
    vendor: Vendor, role: Role, may_pull: bool
) -> None:
    credential = presented(api_token(vendor, role))

    decision = authorize_pull(credential, slug_of(vendor), "quay.io", "a")

    assert isinstance(decision, AllowedPull) is may_pull
    if not may_pull:
        assert reason(decision) is Reason.APPLICATION_MISMATCH


def test_a_vendors_token_does_not_reach_another_team(vendor: Vendor) -> None:
    stranger = create_vendor()
    stranger.connect("quay.io", "quay.io")
    credential = presented(api_token(vendor, Role.OWNER))

    decision = authorize_pull(credential, slug_of(stranger), "quay.io", "a")

    assert reason(decision) is Reason.APPLICATION_MISMATCH


def test_within_team_makes_other_teams_credentials_unknown(vendor: Vendor) -> None:
    stranger = create_vendor()
    theirs = license_of(stranger)

    decision = authorize_pull(
        theirs, slug_of(stranger), "quay.io", "a", within_team=vendor.team.pk
    )

    assert reason(decision) is Reason.CREDENTIAL_UNKNOWN
    assert isinstance(decision, Denied)
    assert (decision.team_id, decision.subject) == (None, None)


def test_within_team_hides_other_teams_of_the_same_person(vendor: Vendor) -> None:
    stranger = create_vendor()
    stranger.connect("quay.io", "quay.io")
    person = Subject(SubjectKind.USER, stranger.owner.pk)

    decision = authorize_pull(
        person, slug_of(stranger), "quay.io", "a", within_team=vendor.team.pk
    )

    assert reason(decision) is Reason.APPLICATION_MISMATCH


def test_private_registry_needs_no_external_one(vendor: Vendor) -> None:
    decision = authorize_pull(
        license_of(vendor), slug_of(vendor), PRIVATE_REGISTRY, "api"
    )

    assert isinstance(decision, AllowedImage)
    assert decision.repository == "api"


def test_login_with_a_license_that_is_over(vendor: Vendor) -> None:
    active, expired = vendor.license(), vendor.license()
    change_license(
        actor=vendor.actor,
        license=expired,
        changes={"expires_at": timezone.now() - timedelta(days=1)},
    )

    allowed = decide_login(
        fetch_facts(presented(active.license_id.reveal())), "192.0.2.1"
    )
    denied = decide_login(
        fetch_facts(presented(expired.license_id.reveal())), "192.0.2.1"
    )

    assert isinstance(allowed, LicenseHolder)
    assert reason(denied) is Reason.LICENSE_EXPIRED


def test_a_decision_costs_one_query(vendor: Vendor) -> None:
    credential = license_of(vendor)
    for number in range(30):
        vendor.connect("ghcr.io", f"registry{number}")

    with CaptureQueriesContext(connection) as queries:
        authorize_pull(credential, slug_of(vendor), "quay.io", "a")

    assert len(queries) == 1
