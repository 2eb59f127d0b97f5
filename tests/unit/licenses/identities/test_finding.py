"""Which trusted identity a workload token means, and what reads its issuer's keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from licenses.identities.rules import GITHUB_ISSUER, IdentityKind
from licenses.identities.workload_token import WorkloadToken, read_workload_token
from licenses.models import IdentityWorkload, IssuerKeys, License, TrustedIdentity
from licenses.services import archive_customer, revoke_license
from licenses.services.identities import (
    change_trusted_identity,
    claim_reading,
    find_identity,
    needs_reading,
    refresh_issuers,
    remove_trusted_identity,
)
from licenses.services.identities.login import KEYS_LAST
from licenses.services.identities.workloads import MAX_WORKLOADS, NO_WORKLOAD
from tests.support.issuers.token_issuer import (
    TokenIssuer,
    key_set,
    new_key,
    token_issuer,
)
from tests.support.rows.identities import publish, trusted
from tests.support.rows.vendor import Vendor, create_vendor

ADDRESS, CLIENT = "192.0.2.7", "containerd/2.1"


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def license(vendor: Vendor) -> License:
    return vendor.license()


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer("https://cluster.example")


@pytest.fixture
def running() -> Iterator[TokenIssuer]:
    with token_issuer() as issuer:
        yield issuer


def read(text: str) -> WorkloadToken:
    return read_workload_token(text, datetime.now(UTC))


def found(text: str, *applications: str) -> TrustedIdentity | None:
    login = find_identity(read(text), applications, ADDRESS, CLIENT)
    return login.identity if login else None


def test_uploaded_and_published_keys(license: License, issuer: TokenIssuer) -> None:
    other = TokenIssuer("https://other.example", [new_key("o", number=1)])
    by_upload = trusted(license, issuer)
    by_discovery = trusted(license, other, uploaded=False)

    assert found(issuer.service_account()) == by_upload
    assert found(other.service_account()) == by_discovery


def test_rules_audience_and_issuer_have_to_be_met(
    license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(
        license, issuer, {"namespace": "prod-*", "service_account": "api"}
    )

    slug = license.application.slug
    assert found(issuer.service_account("prod-eu", "api"), slug) == identity
    for wrong in (
        issuer.service_account("prod", "api"),
        issuer.service_account("prod-eu", "web"),
        issuer.token("system:serviceaccount:prod-eu:api", aud="sts.amazonaws.com"),
        issuer.token("system:serviceaccount:prod-eu:api", aud=[]),
        issuer.token("system:serviceaccount:prod-eu:api", aud=None),
        issuer.token("system:serviceaccount:prod-eu:api", iss="https://x.example"),
        issuer.token("system:serviceaccount:prod-eu:api", iss=f"{issuer.issuer}/"),
        issuer.token("prod-eu", namespace="prod-eu", service_account="api"),
    ):
        assert found(wrong) is None
    assert IdentityWorkload.objects.get().name == "prod-eu/api"


def test_a_login_for_nothing_notes_no_workload(
    license: License, issuer: TokenIssuer
) -> None:
    """The identity that it means may be any vendor's."""
    identity = trusted(license, issuer)

    assert found(issuer.service_account()) == identity
    assert not IdentityWorkload.objects.exists()


def test_identities_of_other_audiences_crowd_out_nobody(
    license: License, vendor: Vendor, issuer: TokenIssuer
) -> None:
    for _ in range(6):
        for_others = vendor.license()
        for number in range(20):
            trusted(for_others, issuer, audience=f"nobody{number}.example")
    identity = trusted(license, issuer)

    assert found(issuer.service_account(), license.application.slug) == identity


def test_one_of_several_audiences_is_enough(
    license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(license, issuer, audience="a")

    assert found(issuer.token(aud=["b", "a"])) == identity
    assert found(issuer.token(aud="a")) == identity
    assert found(issuer.token(aud="ab")) is None


def test_another_key_with_the_same_id_signs_nothing(
    license: License, issuer: TokenIssuer
) -> None:
    """All self-managed clusters have one issuer, and some have keys of one name."""
    thief = TokenIssuer(issuer.issuer, [new_key("1", number=1)])
    trusted(license, issuer)

    assert found(thief.service_account()) is None
    theirs = trusted(license, thief)
    assert found(thief.service_account()) == theirs


def test_the_published_keys_of_an_issuer_say_nothing_of_an_uploaded_set(
    license: License, issuer: TokenIssuer
) -> None:
    publish(TokenIssuer(issuer.issuer, [new_key("1", number=1)]))
    trusted(license, issuer)
    thief = TokenIssuer(issuer.issuer, [new_key("1", number=1)])

    assert found(thief.service_account()) is None


def test_applications_choose_the_license(
    vendor: Vendor, license: License, issuer: TokenIssuer
) -> None:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    first = trusted(license, issuer)
    second = trusted(vendor.license(other), issuer)
    text = issuer.service_account()

    assert found(text, vendor.application.slug) == first
    assert found(text, other.slug) == second
    assert found(text, other.slug, vendor.application.slug) == first
    assert found(text) == first
    assert found(text, create_vendor().application.slug) is None


def test_the_oldest_that_may_pull_is_taken(vendor: Vendor, issuer: TokenIssuer) -> None:
    licenses = [vendor.license() for _ in range(3)]
    identities = [trusted(license, issuer) for license in licenses]
    text = issuer.service_account()
    assert found(text) == identities[0]

    remove_trusted_identity(actor=vendor.actor, identity=identities[0])
    assert found(text) == identities[1]
    revoke_license(actor=vendor.actor, license=licenses[1], reason="unpaid")
    assert found(text) == identities[2]
    License.objects.filter(pk=licenses[2].pk).update(expires_at=timezone.now())
    # None may pull: the refusal of the oldest that was not removed is told.
    assert found(text) == identities[1]


def test_what_was_removed_is_still_known_by_its_tokens(
    vendor: Vendor, license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(license, issuer)
    remove_trusted_identity(actor=vendor.actor, identity=identity)

    login = find_identity(read(issuer.service_account()), (), ADDRESS, CLIENT)

    assert login is not None
    assert (login.identity, login.workload) == (identity, NO_WORKLOAD)
    assert not IdentityWorkload.objects.exists()


def test_an_archived_customer_uses_nothing(
    vendor: Vendor, license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(license, issuer)
    archive_customer(actor=vendor.actor, customer=vendor.customer)

    login = find_identity(read(issuer.service_account()), (), ADDRESS, CLIENT)

    assert login is not None
    assert (login.identity, login.workload) == (identity, NO_WORKLOAD)


def test_many_share_an_issuer_and_one_is_found(
    vendor: Vendor, django_assert_max_num_queries: Any
) -> None:
    github = TokenIssuer(GITHUB_ISSUER)
    publish(github)
    for number in range(12):
        trusted(
            vendor.license(),
            github,
            {"repository": f"acme/app{number}"},
            IdentityKind.GITHUB,
            uploaded=False,
        )
    text = github.token("repo:acme/app7:ref:refs/heads/main", repository="acme/app7")

    slug = vendor.license().application.slug
    with django_assert_max_num_queries(12):
        identity = found(text, slug)

    assert identity is not None
    assert identity.rules == {"repository": "acme/app7"}
    assert IdentityWorkload.objects.get().name == "acme/app7"


def test_workloads_have_numbers_up_to_a_bound(
    license: License, issuer: TokenIssuer
) -> None:
    identity, slugs = trusted(license, issuer), {license.application.slug}
    IdentityWorkload.objects.bulk_create(
        IdentityWorkload(
            team=license.team, identity=identity, number=number, name=f"prod/{number}"
        )
        for number in range(2, MAX_WORKLOADS + 1)
    )

    def number(account: str) -> int:
        token = read(issuer.service_account("prod", account))
        login = find_identity(token, slugs, ADDRESS, CLIENT)
        assert login is not None
        return login.workload

    assert number("50") == 50
    assert number("last") == MAX_WORKLOADS + 1
    assert number("beyond") == NO_WORKLOAD
    assert number("last") == MAX_WORKLOADS + 1
    assert IdentityWorkload.objects.count() == MAX_WORKLOADS
    used = IdentityWorkload.objects.get(name="prod/50")
    assert (used.last_used_address, used.last_used_client) == (ADDRESS, CLIENT)
    assert used.last_used_node == "node-1"


def test_a_workloads_name_is_cleaned(license: License, issuer: TokenIssuer) -> None:
    trusted(license, issuer, {"sub": "a\u00e9*", "x": "y"}, IdentityKind.OTHER)

    text = issuer.token("a\u00e9\x00\ud83d\n" + "b" * 300, x="y")
    assert found(text, license.application.slug)

    name = IdentityWorkload.objects.get().name
    assert name.startswith("a????b")
    assert len(name) <= 200


def test_keys_last_a_day_without_the_issuer(
    license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(license, issuer, uploaded=False)
    text = issuer.service_account()

    def read_ago(age: timedelta) -> None:
        IssuerKeys.objects.update(read_at=timezone.now() - age)

    read_ago(KEYS_LAST - timedelta(minutes=1))
    assert found(text) == identity
    assert not needs_reading(read(text))
    read_ago(KEYS_LAST)
    assert found(text) is None
    assert needs_reading(read(text))


def test_only_known_issuers_are_read_for_tokens_and_not_often(
    license: License, issuer: TokenIssuer
) -> None:
    trusted(license, issuer, uploaded=False)
    IssuerKeys.objects.update(tried_at=None)
    rotated = TokenIssuer(issuer.issuer, [new_key("2")])
    stranger = TokenIssuer("https://stranger.example")

    assert not needs_reading(read(issuer.service_account()))
    assert needs_reading(read(rotated.service_account()))
    assert not needs_reading(read(stranger.service_account()))
    assert not claim_reading(stranger.issuer)
    assert claim_reading(issuer.issuer)
    assert not claim_reading(issuer.issuer)


def test_a_worker_reads_the_keys_of_trusted_issuers(
    vendor: Vendor, license: License, running: TokenIssuer
) -> None:
    identity = trusted(license, running, uploaded=False)
    unused = TokenIssuer("https://unused.example")
    publish(unused)
    running.keys = [new_key("2", number=1), *running.keys]
    assert refresh_issuers() == 0

    IssuerKeys.objects.update(next_at=timezone.now())
    assert refresh_issuers() == 1

    stored = IssuerKeys.objects.get(issuer=running.issuer)
    assert stored.key_set == running.key_set
    assert found(running.service_account()) == identity
    assert refresh_issuers() == 0
    remove_trusted_identity(actor=vendor.actor, identity=identity)
    old = timezone.now() - timedelta(days=2)
    IssuerKeys.objects.update(next_at=old, read_at=old)
    assert refresh_issuers() == 0
    assert not IssuerKeys.objects.exists()


def test_an_issuer_that_is_away_keeps_its_keys(
    license: License, running: TokenIssuer
) -> None:
    identity = trusted(license, running, uploaded=False)
    before = IssuerKeys.objects.get()
    running.behave = lambda _issuer, _request: None
    keys, running.keys = running.keys, []
    IssuerKeys.objects.update(next_at=timezone.now())

    refresh_issuers()

    after = IssuerKeys.objects.get()
    assert (after.key_set, after.read_at) == (before.key_set, before.read_at)
    assert "no key that can be used" in after.problem
    running.keys = keys
    assert found(running.service_account()) == identity


def test_another_key_set_can_be_uploaded(
    vendor: Vendor, license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(license, issuer)
    old, new = issuer.service_account(), new_key("2", number=1)

    both = key_set(*issuer.keys, new)
    change_trusted_identity(
        actor=vendor.actor, identity=identity, changes={"key_set": both}
    )
    issuer.keys.insert(0, new)
    assert found(old) == found(issuer.service_account()) == identity
    change_trusted_identity(
        actor=vendor.actor, identity=identity, changes={"key_set": key_set(new)}
    )
    assert found(old) is None
    assert found(issuer.service_account()) == identity
