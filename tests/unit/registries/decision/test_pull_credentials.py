"""Pull credentials and replaced license IDs, as the decision sees them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.models import License, PullCredential
from licenses.services import (
    archive_customer,
    replace_license_id,
    revoke_license,
    revoke_pull_credential,
    rotate_pull_credential,
)
from portal.crypto.secrets import Secret
from registries.decision.credentials import (
    CURRENT_ID,
    PresentedCredential,
    Subject,
    SubjectKind,
)
from registries.decision.credentials import (
    PullCredential as Presentable,
)
from registries.decision.facts import LicenseHolder
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    AllowedImage,
    AllowedPull,
    Denied,
    Upstream,
    authorize_pull,
    decide_login,
    within_networks,
)
from registries.decision.query import fetch_facts
from registries.models.outcomes import Reason
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.decision.conftest import presented, reason, slug_of

INSIDE, OUTSIDE = "192.0.2.7", "198.51.100.7"


def authorized(
    vendor: Vendor, credential: Presentable, upstream: Upstream = "quay.io"
) -> AllowedPull | AllowedImage | Denied:
    return authorize_pull(credential, slug_of(vendor), upstream, "my-org/api")


def subject_of(credential: PullCredential) -> Subject:
    return Subject(SubjectKind.PULL_CREDENTIAL, credential.pk)


def in_days(days: float) -> datetime:
    return timezone.now() + timedelta(days=days)


@pytest.mark.parametrize("upstream", ["quay.io", PRIVATE_REGISTRY])
def test_a_pull_credential_pulls_what_its_license_does(
    vendor: Vendor, upstream: Upstream
) -> None:
    license = vendor.license()
    credential, text = pull_credential(license, name="cluster")

    for who in (presented(text), subject_of(credential)):
        decision = authorized(vendor, who, upstream)
        assert isinstance(decision, AllowedPull | AllowedImage)
        assert decision.subject == subject_of(credential)
        assert decision.license_id == license.pk
        assert decision.credential is not None
        assert decision.credential.name == "cluster"


def test_it_takes_one_statement(vendor: Vendor) -> None:
    _, text = pull_credential(vendor.license())

    with CaptureQueriesContext(
        connection,
    ) as queries:
        authorized(vendor, presented(text))

    assert len(queries) == 1


def test_the_text_has_to_be_right_to_the_last_character(vendor: Vendor) -> None:
    credential, text = pull_credential(vendor.license())
    other = pull_credential(vendor.license())[1]
    mixed = text[: len("berth_pull_") + 13] + other.rpartition("_")[2]

    for wrong in (text[:-1], text + "0", text.swapcase(), mixed, credential.key):
        assert reason(authorized(vendor, presented(wrong))) is Reason.CREDENTIAL_UNKNOWN
    assert isinstance(authorized(vendor, presented(text)), AllowedPull)


def test_a_digest_is_of_one_kind_of_secret(vendor: Vendor) -> None:
    """A license ID is not a pull credential, even if its digest is stored as one."""
    license = vendor.license()
    pull_credential(license, digest=license.license_id_digest)

    decision = authorized(vendor, presented(license.license_id.reveal()))

    assert isinstance(decision, AllowedPull)
    assert decision.credential is None


def test_what_ends_a_credential_ends_its_tokens_and_no_others(vendor: Vendor) -> None:
    license = vendor.license()
    credential, text = pull_credential(license)
    other, other_text = pull_credential(license)

    revoke_pull_credential(actor=vendor.actor, credential=credential)

    for who in (presented(text), subject_of(credential)):
        decision = authorized(vendor, who)
        assert isinstance(decision, Denied)
        assert decision.reason is Reason.CREDENTIAL_REVOKED
        assert decision.message == (
            f"This pull credential was revoked on {timezone.now():%Y-%m-%d}. Log in "
            "with another one of your license."
        )
        assert decision.team_id == vendor.team.pk
        assert decision.license_id == license.pk
        assert credential.name in decision.trace[-1].detail
    for who in (
        presented(other_text),
        subject_of(other),
        presented(license.license_id.reveal()),
        Subject(SubjectKind.LICENSE, license.pk),
    ):
        assert isinstance(authorized(vendor, who), AllowedPull)


def test_a_credential_expires_at_its_instant(vendor: Vendor) -> None:
    end = in_days(1)
    credential, text = pull_credential(vendor.license(), expires_at=end)
    assert isinstance(authorized(vendor, presented(text)), AllowedPull)
    now = timezone.now()

    PullCredential.objects.update(expires_at=now)

    decision = authorized(vendor, subject_of(credential))
    assert isinstance(decision, Denied)
    assert decision.reason is Reason.CREDENTIAL_EXPIRED
    assert f"expired on {now:%Y-%m-%d %H:%M} UTC" in decision.message
    assert reason(authorized(vendor, presented(text))) is Reason.CREDENTIAL_EXPIRED


def test_old_and_new_pull_until_the_old_one_ends(vendor: Vendor) -> None:
    old, old_text = pull_credential(vendor.license())

    new, secret = rotate_pull_credential(
        actor=vendor.actor, credential=old, old_ends_at=in_days(1)
    )

    assert isinstance(authorized(vendor, presented(old_text)), AllowedPull)
    assert isinstance(authorized(vendor, presented(secret.reveal())), AllowedPull)
    PullCredential.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    for who in (presented(old_text), subject_of(old)):
        assert reason(authorized(vendor, who)) is Reason.CREDENTIAL_EXPIRED
    assert isinstance(authorized(vendor, subject_of(new)), AllowedPull)


def test_the_credentials_state_comes_before_the_licenses(vendor: Vendor) -> None:
    license = vendor.license()
    credential, text = pull_credential(license, expires_at=in_days(-1))
    revoke_license(actor=vendor.actor, license=license, reason="unpaid")
    archive_customer(actor=vendor.actor, customer=vendor.customer)

    assert reason(authorized(vendor, presented(text))) is Reason.CREDENTIAL_EXPIRED
    revoke_pull_credential(actor=vendor.actor, credential=credential)
    assert reason(authorized(vendor, presented(text))) is Reason.CREDENTIAL_REVOKED
    other = pull_credential(license)[1]
    assert reason(authorized(vendor, presented(other))) is Reason.LICENSE_REVOKED


def test_mismatch_comes_before_the_credentials_state(vendor: Vendor) -> None:
    _, text = pull_credential(vendor.license(), expires_at=in_days(-1))

    decision = authorize_pull(presented(text), "nothing-of-hers", "quay.io", "a")

    assert reason(decision) is Reason.APPLICATION_MISMATCH


def test_a_credential_of_another_team_is_unknown_to_ours(vendor: Vendor) -> None:
    other = create_vendor()
    _, text = pull_credential(other.license())

    decision = authorize_pull(
        presented(text),
        slug_of(other),
        "quay.io",
        "a",
        within_team=vendor.team.pk,
    )

    assert reason(decision) is Reason.CREDENTIAL_UNKNOWN


def test_a_credential_that_is_gone(vendor: Vendor) -> None:
    gone = Subject(SubjectKind.PULL_CREDENTIAL, uuid.uuid4())

    assert reason(authorized(vendor, gone)) is Reason.CREDENTIAL_UNKNOWN


@pytest.mark.parametrize("upstream", ["quay.io", PRIVATE_REGISTRY])
def test_networks_are_checked_after_the_decision(
    vendor: Vendor, upstream: Upstream
) -> None:
    networks = ["10.0.0.0/8", "192.0.2.0/24"]
    _, text = pull_credential(vendor.license(), name="farm", networks=networks)

    decision = authorized(vendor, presented(text), upstream)

    assert within_networks(decision, INSIDE) is decision
    assert ("network", True) in [(step.check, step.passed) for step in decision.trace]
    for address in (OUTSIDE, "unknown", "", "::1"):
        denied = within_networks(decision, address)
        assert isinstance(denied, Denied)
        assert denied.reason is Reason.NETWORK_NOT_ALLOWED
        assert denied.subject == decision.subject
        assert denied.team_id == vendor.team.pk
        assert denied.license_id == decision.license_id
    denied = within_networks(decision, OUTSIDE)
    assert isinstance(denied, Denied)
    assert denied.message == (
        f"This pull credential is not allowed from your address, {OUTSIDE}. Log in "
        "with another one of your license, or have the network added."
    )
    assert "10.0.0.0/8" not in denied.message
    assert "10.0.0.0/8, 192.0.2.0/24" in denied.trace[-1].detail


def test_networks_affect_neither_refusals_nor_license_ids(vendor: Vendor) -> None:
    license = vendor.license()
    _, text = pull_credential(license, networks=["10.0.0.0/8"])
    by_id = authorized(vendor, presented(license.license_id.reveal()))
    revoke_license(actor=vendor.actor, license=license, reason="unpaid")
    denied = authorized(vendor, presented(text))

    assert within_networks(by_id, OUTSIDE) is by_id
    assert within_networks(denied, OUTSIDE) is denied
    assert reason(denied) is Reason.LICENSE_REVOKED


def test_a_login_says_at_once_what_is_wrong_with_the_credential(vendor: Vendor) -> None:
    license = vendor.license()
    cases = {
        pull_credential(license)[1]: None,
        pull_credential(license, networks=["10.0.0.0/8"])[1]: (
            Reason.NETWORK_NOT_ALLOWED
        ),
        pull_credential(license, expires_at=in_days(-1))[1]: Reason.CREDENTIAL_EXPIRED,
    }

    for text, expected in cases.items():
        facts = fetch_facts(presented(text))
        login = decide_login(facts, OUTSIDE)
        if expected is None:
            assert isinstance(login, LicenseHolder)
        else:
            assert reason(login) is expected
        later = decide_login(facts, OUTSIDE, even_if_inactive=True)
        assert isinstance(later, LicenseHolder)


def current(license: License) -> PresentedCredential:
    license.refresh_from_db()
    return presented(license.license_id.reveal())


def test_a_replaced_license_id_pulls_until_it_ends(vendor: Vendor) -> None:
    license = vendor.license()
    first = current(license)

    replace_license_id(actor=vendor.actor, license=license, old_ends_at=in_days(1))

    second = current(license)
    old = authorized(vendor, first)
    new = authorized(vendor, second)
    assert isinstance(old, AllowedPull)
    assert isinstance(new, AllowedPull)
    assert str(old.subject) == f"license:{license.pk}"
    assert str(new.subject) == f"license:{license.pk}.2"
    assert old.license_id == new.license_id == license.pk
    now = timezone.now()
    License.objects.update(previous_license_id_ends_at=now)
    for who in (first, old.subject):
        denied = authorized(vendor, who)
        assert isinstance(denied, Denied)
        assert denied.reason is Reason.CREDENTIAL_EXPIRED
        assert denied.message == (
            f"This license ID was replaced, and ended on {now:%Y-%m-%d %H:%M} UTC. Log "
            "in with the one in your current license file."
        )
    for who in (second, new.subject):
        assert isinstance(authorized(vendor, who), AllowedPull)


def test_only_the_last_two_license_ids_are_known(vendor: Vendor) -> None:
    license = vendor.license()
    secrets = [current(license)]
    for _ in range(2):
        replace_license_id(actor=vendor.actor, license=license, old_ends_at=in_days(1))
        secrets.append(current(license))

    decisions = [authorized(vendor, secret) for secret in secrets]
    subjects = [
        authorized(vendor, Subject(SubjectKind.LICENSE, license.pk, version))
        for version in (1, 2, 3, 4, CURRENT_ID)
    ]

    unknown = Reason.CREDENTIAL_UNKNOWN
    assert [getattr(item, "reason", None) for item in decisions] == [
        *(unknown, None, None)
    ]
    assert [getattr(item, "reason", None) for item in subjects] == [
        *(unknown, None, None, unknown, None)
    ]


def test_no_token_names_the_current_license_id(vendor: Vendor) -> None:
    """Otherwise it would outlive the ID that it was issued for."""
    license = vendor.license()

    for text in (f"license:{license.pk}.0", f"license:{license.pk}.1"):
        assert Subject.parse(text) is None
    holder = fetch_facts(Subject(SubjectKind.LICENSE, license.pk, CURRENT_ID)).holder
    assert isinstance(holder, LicenseHolder)
    assert holder.subject == Subject(SubjectKind.LICENSE, license.pk, 1)


def test_secrets_are_not_in_reprs(vendor: Vendor) -> None:
    _, text = pull_credential(vendor.license())

    decision = authorized(vendor, PresentedCredential("x", Secret(text)))

    assert text not in repr(decision)
